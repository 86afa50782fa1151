// The adapter of franz-go, with its administrative package.
package main

import (
	"context"
	"errors"
	"time"

	"cairn/interop/adapter"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

type franz struct{}

func connect(arguments adapter.Arguments, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(arguments.Bootstrap))...)
}

func withAdmin(arguments adapter.Arguments, use func(*kadm.Client) error) error {
	client, err := connect(arguments)
	if err != nil {
		return err
	}
	defer client.Close()
	return use(kadm.NewClient(client))
}

func (franz) About() adapter.About {
	return adapter.About{Client: "franz-go", Version: adapter.VersionOf("github.com/twmb/franz-go"), Language: "Go"}
}

func (franz) Metadata(ctx context.Context, arguments adapter.Arguments) (adapter.Cluster, error) {
	cluster := adapter.Cluster{Topics: map[string]int{}}
	err := withAdmin(arguments, func(admin *kadm.Client) error {
		found, err := admin.Metadata(ctx)
		cluster.Brokers = len(found.Brokers)
		for name, topic := range found.Topics {
			cluster.Topics[name] = len(topic.Partitions)
		}
		return err
	})
	return cluster, err
}

func (franz) Create(ctx context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin *kadm.Client) error {
		_, err := admin.CreateTopic(ctx, int32(arguments.Partitions), -1, nil, arguments.Topic)
		return err
	})
}

func (franz) Produce(ctx context.Context, arguments adapter.Arguments, records []adapter.Record) error {
	options := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[arguments.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(50 * time.Millisecond),
	}
	if !arguments.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := connect(arguments, options...)
	if err != nil {
		return err
	}
	defer client.Close()
	var produced []*kgo.Record
	for _, record := range records {
		one := &kgo.Record{Topic: arguments.Topic, Partition: int32(record.Partition), Key: record.Key, Value: record.Value}
		for _, header := range record.Headers {
			one.Headers = append(one.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		produced = append(produced, one)
	}
	return client.ProduceSync(ctx, produced...).FirstErr()
}

// Puts what was fetched; the records that were put.
func put(fetches kgo.Fetches, output *adapter.Output) ([]*kgo.Record, error) {
	if err := fetches.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	var taken []*kgo.Record
	for _, record := range fetches.Records() {
		one := adapter.Record{Partition: int(record.Partition), Offset: record.Offset, Key: record.Key, Value: record.Value}
		for _, header := range record.Headers {
			one.Headers = append(one.Headers, adapter.Header{Name: header.Key, Value: header.Value})
		}
		if output.Put(one) {
			taken = append(taken, record)
		}
	}
	return taken, nil
}

func (franz) Consume(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	partitions := map[int32]kgo.Offset{}
	for index := range arguments.Partitions {
		partitions[int32(index)] = kgo.NewOffset().AtStart()
	}
	client, err := connect(arguments, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{arguments.Topic: partitions}))
	if err != nil {
		return err
	}
	defer client.Close()
	for output.Left() != 0 {
		if _, err := put(client.PollFetches(ctx), output); err != nil {
			return err
		}
	}
	return nil
}

// Whether a commit failed because the group rebalances: whoever has the partition next reads the records again.
func rebalances(err error) bool {
	return errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID)
}

func (franz) Group(ctx context.Context, arguments adapter.Arguments, output *adapter.Output) error {
	client, err := connect(
		arguments,
		kgo.ConsumerGroup(arguments.Group),
		kgo.ConsumeTopics(arguments.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(adapter.SessionTimeout),
		kgo.HeartbeatInterval(adapter.HeartbeatInterval),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		taken, err := put(client.PollRecords(ctx, output.Left()), output)
		if err != nil {
			return err
		}
		// Also when the context has ended: what was put is committed.
		if err := client.CommitRecords(context.Background(), taken...); err != nil && !rebalances(err) {
			return err
		}
	}
	return nil
}

func (franz) Groups(ctx context.Context, arguments adapter.Arguments) ([]string, error) {
	var names []string
	err := withAdmin(arguments, func(admin *kadm.Client) error {
		groups, err := admin.ListGroups(ctx)
		names = groups.Groups()
		return err
	})
	return names, err
}

func (franz) DeleteGroup(ctx context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin *kadm.Client) error {
		_, err := admin.DeleteGroup(ctx, arguments.Group)
		return err
	})
}

func (franz) DeleteTopic(ctx context.Context, arguments adapter.Arguments) error {
	return withAdmin(arguments, func(admin *kadm.Client) error {
		_, err := admin.DeleteTopic(ctx, arguments.Topic)
		return err
	})
}

func main() { adapter.Run(franz{}) }
