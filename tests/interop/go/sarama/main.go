// The adapter of sarama.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"cairn/interop/adapter"

	"github.com/IBM/sarama"
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

type client struct{}

func configuration() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	return config
}

func withAdmin(arguments adapter.Arguments, use func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin([]string{arguments.Bootstrap}, configuration())
	if err != nil {
		return err
	}
	defer admin.Close()
	return use(admin)
}

func (client) About() adapter.About {
	return adapter.About{Client: "sarama", Version: adapter.VersionOf("github.com/IBM/sarama"), Language: "Go"}
}

func (client) Metadata(_ context.Context, arguments adapter.Arguments) (adapter.Cluster, error) {
	cluster := adapter.Cluster{Topics: map[string]int{}}
	connected, err := sarama.NewClient([]string{arguments.Bootstrap}, configuration())
	if err != nil {
		return cluster, err
	}
	defer connected.Close()
	cluster.Brokers = len(connected.Brokers())
	names, err := connected.Topics()
	if err != nil {
		return cluster, err
	}
	for _, name := range names {
		partitions, err := connected.Partitions(name)
		if err != nil {
			return cluster, err
		}
		cluster.Topics[name] = len(partitions)
	}
	return cluster, nil
}

func (client) Create(_ context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin sarama.ClusterAdmin) error {
		detail := &sarama.TopicDetail{NumPartitions: int32(arguments.Partitions), ReplicationFactor: -1}
		return admin.CreateTopic(arguments.Topic, detail, false)
	})
}

func encoder(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (client) Produce(_ context.Context, arguments adapter.Arguments, records []adapter.Record) error {
	config := configuration()
	config.Producer.Compression = codecs[arguments.Codec]
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 50 * time.Millisecond
	if arguments.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer([]string{arguments.Bootstrap}, config)
	if err != nil {
		return err
	}
	var messages []*sarama.ProducerMessage
	for _, record := range records {
		message := &sarama.ProducerMessage{
			Topic:     arguments.Topic,
			Partition: int32(record.Partition),
			Key:       encoder(record.Key),
			Value:     encoder(record.Value),
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		messages = append(messages, message)
	}
	return errors.Join(producer.SendMessages(messages), producer.Close())
}

func recordOf(message *sarama.ConsumerMessage) adapter.Record {
	record := adapter.Record{
		Partition: int(message.Partition),
		Offset:    message.Offset,
		Key:       message.Key,
		Value:     message.Value,
	}
	for _, header := range message.Headers {
		record.Headers = append(record.Headers, adapter.Header{Name: string(header.Key), Value: header.Value})
	}
	return record
}

func (client) Consume(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	config := configuration()
	config.Consumer.Return.Errors = true
	consumer, err := sarama.NewConsumer([]string{arguments.Bootstrap}, config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading sync.WaitGroup
	for index := range arguments.Partitions {
		partition, err := consumer.ConsumePartition(arguments.Topic, int32(index), sarama.OffsetOldest)
		if err != nil {
			return err
		}
		reading.Go(func() {
			for {
				select {
				case message := <-partition.Messages():
					output.Put(recordOf(message))
				case err := <-partition.Errors():
					cancel(err)
				case <-ctx.Done():
					return
				}
			}
		})
	}
	reading.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// One member of a group, for all its generations.
type member struct{ output *adapter.Output }

func (member) Setup(sarama.ConsumerGroupSession) error { return nil }

func (member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok || !m.output.Put(recordOf(message)) {
				return nil
			}
			session.MarkMessage(message, "")
			session.Commit()
		case <-session.Context().Done():
			return nil
		}
	}
}

func (client) Group(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	config := configuration()
	config.Consumer.Group.Session.Timeout = adapter.SessionTimeout
	config.Consumer.Group.Heartbeat.Interval = adapter.HeartbeatInterval
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup([]string{arguments.Bootstrap}, arguments.Group, config)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{arguments.Topic}, member{output}); err != nil {
			return err
		}
	}
	return group.Close()
}

func (client) Groups(_ context.Context, arguments adapter.Arguments) ([]string, error) {
	var names []string
	err := withAdmin(arguments, func(admin sarama.ClusterAdmin) error {
		groups, err := admin.ListConsumerGroups()
		for name := range groups {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

func (client) DeleteGroup(_ context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin sarama.ClusterAdmin) error {
		return admin.DeleteConsumerGroup(arguments.Group)
	})
}

func (client) DeleteTopic(_ context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin sarama.ClusterAdmin) error {
		return admin.DeleteTopic(arguments.Topic)
	})
}

func main() { adapter.Run(client{}) }
