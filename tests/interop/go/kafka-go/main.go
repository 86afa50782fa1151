// The adapter of kafka-go.
package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"cairn/interop/adapter"

	"github.com/segmentio/kafka-go"
)

var codecs = map[string]kafka.Compression{
	"none":   0,
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

const timeout = 30 * time.Second

type client struct{}

func address(arguments adapter.Arguments) net.Addr { return kafka.TCP(arguments.Bootstrap) }

func connect(arguments adapter.Arguments) *kafka.Client {
	return &kafka.Client{Addr: address(arguments), Timeout: timeout}
}

func (client) About() adapter.About {
	nilForEmpty := "it gives what is empty as nil, as it gives null"
	return adapter.About{
		Client:   "kafka-go",
		Version:  adapter.VersionOf("github.com/segmentio/kafka-go"),
		Language: "Go",
		Cannot: map[string]string{
			"produce idempotently":     "its writer does not number its batches",
			"read empty keys":          nilForEmpty,
			"read empty values":        nilForEmpty,
			"read empty header values": nilForEmpty,
		},
	}
}

func (client) Metadata(ctx context.Context, arguments adapter.Arguments) (adapter.Cluster, error) {
	cluster := adapter.Cluster{Topics: map[string]int{}}
	found, err := connect(arguments).Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return cluster, err
	}
	cluster.Brokers = len(found.Brokers)
	for _, topic := range found.Topics {
		cluster.Topics[topic.Name] = len(topic.Partitions)
	}
	return cluster, nil
}

func (client) Create(ctx context.Context, arguments adapter.Arguments) error {
	topic := kafka.TopicConfig{Topic: arguments.Topic, NumPartitions: arguments.Partitions, ReplicationFactor: 1}
	created, err := connect(arguments).CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return err
	}
	return created.Errors[arguments.Topic]
}

func (client) Produce(ctx context.Context, arguments adapter.Arguments, records []adapter.Record) error {
	writer := &kafka.Writer{
		Addr:         address(arguments),
		Topic:        arguments.Topic,
		Compression:  codecs[arguments.Codec],
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 50 * time.Millisecond,
		// The way to choose a partition by oneself.
		Balancer: kafka.BalancerFunc(func(message kafka.Message, _ ...int) int { return message.WriterData.(int) }),
	}
	var messages []kafka.Message
	for _, record := range records {
		message := kafka.Message{Key: record.Key, Value: record.Value, WriterData: record.Partition}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		messages = append(messages, message)
	}
	return errors.Join(writer.WriteMessages(ctx, messages...), writer.Close())
}

func recordOf(message kafka.Message) adapter.Record {
	record := adapter.Record{Partition: message.Partition, Offset: message.Offset, Key: message.Key, Value: message.Value}
	for _, header := range message.Headers {
		record.Headers = append(record.Headers, adapter.Header{Name: header.Key, Value: header.Value})
	}
	return record
}

func (client) Consume(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading sync.WaitGroup
	for index := range arguments.Partitions {
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers:   []string{arguments.Bootstrap},
			Topic:     arguments.Topic,
			Partition: index,
			MaxWait:   200 * time.Millisecond,
		})
		reading.Go(func() {
			for {
				message, err := reader.ReadMessage(ctx)
				if err != nil {
					cancel(err)
					return
				}
				output.Put(recordOf(message))
			}
		})
	}
	reading.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (client) Group(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:           []string{arguments.Bootstrap},
		GroupID:           arguments.Group,
		Topic:             arguments.Topic,
		StartOffset:       kafka.FirstOffset,
		SessionTimeout:    adapter.SessionTimeout,
		HeartbeatInterval: adapter.HeartbeatInterval,
		MaxWait:           200 * time.Millisecond,
	})
	for output.Left() != 0 {
		message, err := reader.FetchMessage(ctx)
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil {
			return err
		}
		if !output.Put(recordOf(message)) {
			break
		}
		// Also when the context has ended: what was put is committed. It tries again by itself, and gives up what the group
		// has given to another member.
		if err := reader.CommitMessages(context.Background(), message); err != nil && !rebalances(err) {
			return err
		}
	}
	return reader.Close()
}

// Whether a commit failed because the group rebalances: whoever has the partition next reads the record again.
func rebalances(err error) bool {
	return errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId)
}

func (client) Groups(ctx context.Context, arguments adapter.Arguments) ([]string, error) {
	found, err := connect(arguments).ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, group := range found.Groups {
		names = append(names, group.GroupID)
	}
	return names, found.Error
}

func (client) DeleteGroup(ctx context.Context, arguments adapter.Arguments) error {
	deleted, err := connect(arguments).DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{arguments.Group}})
	if err != nil {
		return err
	}
	return deleted.Errors[arguments.Group]
}

func (client) DeleteTopic(ctx context.Context, arguments adapter.Arguments) error {
	deleted, err := connect(arguments).DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{arguments.Topic}})
	if err != nil {
		return err
	}
	return deleted.Errors[arguments.Topic]
}

func main() { adapter.Run(client{}) }
