// Package adapter is what the adapters in Go have in common: the command line, and records as JSON lines. It knows no client
// and no expectation.
package adapter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// What every member of a group is configured with.
const (
	SessionTimeout    = 6 * time.Second
	HeartbeatInterval = 1500 * time.Millisecond
)

// Arguments of a command; what it does not have is zero.
type Arguments struct {
	Bootstrap  string
	Topic      string
	Group      string
	Codec      string
	Idempotent bool
	Partitions int
	Count      int
}

// About says what an adapter is of, and which capabilities the client does not have, with the reason.
type About struct {
	Client   string            `json:"client"`
	Version  string            `json:"version"`
	Language string            `json:"language"`
	Cannot   map[string]string `json:"cannot"`
}

// Header of a record; nil is null.
type Header struct {
	Name  string
	Value []byte
}

// MarshalJSON makes it a pair.
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Name, h.Value})
}

// UnmarshalJSON takes a pair.
func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

// Record as it is in the JSON lines; nil is null.
type Record struct {
	Partition int      `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Cluster is what a client knows of the brokers and topics.
type Cluster struct {
	Brokers int            `json:"brokers"`
	Topics  map[string]int `json:"topics"`
}

// Client is one client, with a method for each command.
type Client interface {
	About() About
	Metadata(context.Context, Arguments) (Cluster, error)
	Create(context.Context, Arguments) error
	Produce(context.Context, Arguments, []Record) error
	// Consume sends Count records.
	Consume(context.Context, Arguments, *Output) error
	// Group consumes as a member until the output is full or the context ends, and commits what it gave out.
	Group(context.Context, Arguments, *Output) error
	Groups(context.Context, Arguments) ([]string, error)
	DeleteGroup(context.Context, Arguments) error
	DeleteTopic(context.Context, Arguments) error
}

// Output takes records until there are enough. Any number of goroutines may use it.
type Output struct {
	mutex  sync.Mutex
	left   int
	enough context.CancelFunc
}

// Put says a record; false if there were enough before.
func (o *Output) Put(record Record) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.left == 0 {
		return false
	}
	if record.Headers == nil {
		record.Headers = []Header{}
	}
	say(record)
	o.left--
	if o.left == 0 {
		o.enough()
	}
	return true
}

// Left is how many more are wanted; negative without end.
func (o *Output) Left() int {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.left
}

// One line of the result; it is out when this returns.
func say(line any) {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = os.Stdout.Write(append(text, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

func recordsToProduce() ([]Record, error) {
	var records []Record
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, lines.Err()
}

// VersionOf is the version of a module that is built in.
func VersionOf(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	panic("not built in: " + module)
}

// Run carries out the command line with the given client.
func Run(client Client) {
	if err := run(client); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func parse() (string, Arguments, error) {
	var arguments Arguments
	flags := flag.NewFlagSet("adapter", flag.ContinueOnError)
	flags.StringVar(&arguments.Bootstrap, "bootstrap", "", "")
	flags.StringVar(&arguments.Topic, "topic", "", "")
	flags.StringVar(&arguments.Group, "group", "", "")
	flags.StringVar(&arguments.Codec, "codec", "none", "")
	idempotent := flags.String("idempotent", "false", "")
	flags.IntVar(&arguments.Partitions, "partitions", 0, "")
	flags.IntVar(&arguments.Count, "count", -1, "")
	if len(os.Args) < 2 {
		return "", arguments, errors.New("no command")
	}
	err := flags.Parse(os.Args[2:])
	arguments.Idempotent = *idempotent == "true"
	return os.Args[1], arguments, err
}

func run(client Client) error {
	command, arguments, err := parse()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	output := &Output{left: arguments.Count, enough: cancel}
	switch command {
	case "about":
		about := client.About()
		if about.Cannot == nil {
			about.Cannot = map[string]string{}
		}
		say(about)
	case "metadata":
		var cluster Cluster
		if cluster, err = client.Metadata(ctx, arguments); err == nil {
			say(cluster)
		}
	case "create":
		err = client.Create(ctx, arguments)
	case "produce":
		var records []Record
		if records, err = recordsToProduce(); err == nil {
			err = client.Produce(ctx, arguments, records)
		}
	case "consume":
		err = client.Consume(ctx, arguments, output)
	case "group":
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
		err = client.Group(ctx, arguments, output)
	case "groups":
		var groups []string
		if groups, err = client.Groups(ctx, arguments); err == nil {
			say(map[string][]string{"groups": groups})
		}
	case "delete-group":
		err = client.DeleteGroup(ctx, arguments)
	case "delete-topic":
		err = client.DeleteTopic(ctx, arguments)
	default:
		err = fmt.Errorf("unknown command: %s", command)
	}
	return err
}
