import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/** The adapter of Kafka's own client. It knows no expectation. */
final class JavaClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = System.out;
    private static final Duration POLL = Duration.ofMillis(200);

    private final Map<String, String> arguments;

    private JavaClient(Map<String, String> arguments) {
        this.arguments = arguments;
    }

    public static void main(String[] words) throws Exception {
        Map<String, String> arguments = new HashMap<>();
        for (int at = 1; at + 1 < words.length; at += 2) {
            arguments.put(words[at].substring(2), words[at + 1]);
        }
        new JavaClient(arguments).run(words[0]);
        OUT.flush();
        // Threads of a client that is closed already are not waited for.
        System.exit(0);
    }

    private void run(String command) throws Exception {
        switch (command) {
            case "about" -> about();
            case "metadata" -> metadata();
            case "create" -> create();
            case "produce" -> produce();
            case "consume" -> consume();
            case "group" -> group();
            case "groups" -> groups();
            case "delete-group" -> withAdmin(admin -> admin.deleteConsumerGroups(List.of(argument("group"))).all());
            case "delete-topic" -> withAdmin(admin -> admin.deleteTopics(List.of(argument("topic"))).all());
            default -> throw new IllegalArgumentException("unknown command: " + command);
        }
    }

    private String argument(String name) {
        return Optional.ofNullable(arguments.get(name)).orElseThrow(() -> new IllegalArgumentException("no --" + name));
    }

    private Map<String, Object> configuration() {
        return new HashMap<>(Map.of("bootstrap.servers", argument("bootstrap")));
    }

    /** One line of the result; it is out when this returns. */
    private static void say(Object line) throws IOException {
        OUT.println(JSON.writeValueAsString(line));
        OUT.flush();
    }

    private static void about() throws IOException {
        say(Map.of(
            "client", "Kafka's Java client", "version", AppInfoParser.getVersion(), "language", "Java", "cannot", Map.of()));
    }

    private interface AdminCall<T> {
        KafkaFuture<T> of(Admin admin) throws Exception;
    }

    private <T> T withAdmin(AdminCall<T> call) throws Exception {
        try (Admin admin = Admin.create(configuration())) {
            return call.of(admin).get(30, TimeUnit.SECONDS);
        }
    }

    private void metadata() throws Exception {
        int brokers = withAdmin(admin -> admin.describeCluster().nodes()).size();
        var names = withAdmin(admin -> admin.listTopics().names());
        Map<String, Integer> topics = new HashMap<>();
        withAdmin(admin -> admin.describeTopics(names).allTopicNames())
            .forEach((name, topic) -> topics.put(name, topic.partitions().size()));
        say(Map.of("brokers", brokers, "topics", topics));
    }

    private void create() throws Exception {
        int partitions = Integer.parseInt(argument("partitions"));
        NewTopic topic = new NewTopic(argument("topic"), Optional.of(partitions), Optional.empty());
        withAdmin(admin -> admin.createTopics(List.of(topic)).all());
    }

    private static byte[] bytes(JsonNode text) throws IOException {
        return text.isNull() ? null : text.binaryValue();
    }

    private void produce() throws Exception {
        Map<String, Object> configuration = configuration();
        configuration.put("compression.type", argument("codec"));
        configuration.put("enable.idempotence", argument("idempotent"));
        configuration.put("linger.ms", 50);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<>(configuration, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                JsonNode fields = JSON.readTree(line);
                var record = new ProducerRecord<>(
                    argument("topic"), fields.get("partition").intValue(), bytes(fields.get("key")), bytes(fields.get("value")));
                for (JsonNode header : fields.get("headers")) {
                    record.headers().add(header.get(0).textValue(), bytes(header.get(1)));
                }
                sent.add(producer.send(record));
            }
        }
        for (Future<RecordMetadata> one : sent) {
            one.get();
        }
    }

    private static void sayRecord(ConsumerRecord<byte[], byte[]> record) throws IOException {
        ObjectNode line = JSON.createObjectNode();
        line.put("partition", record.partition()).put("offset", record.offset());
        line.put("key", record.key()).put("value", record.value());
        var headers = line.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(header.value());
        }
        say(line);
    }

    private static KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> configuration) {
        configuration.put("enable.auto.commit", false);
        return new KafkaConsumer<>(configuration, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void consume() throws Exception {
        int left = Integer.parseInt(argument("count"));
        List<TopicPartition> partitions = IntStream.range(0, Integer.parseInt(argument("partitions")))
            .mapToObj(index -> new TopicPartition(argument("topic"), index))
            .toList();
        try (var consumer = consumer(configuration())) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (left > 0) {
                for (var record : consumer.poll(POLL)) {
                    if (left > 0) {
                        sayRecord(record);
                        left--;
                    }
                }
            }
        }
    }

    private void group() throws Exception {
        long left = arguments.containsKey("count") ? Long.parseLong(argument("count")) : Long.MAX_VALUE;
        Map<String, Object> configuration = configuration();
        configuration.put("group.id", argument("group"));
        configuration.put("session.timeout.ms", 6000);
        configuration.put("heartbeat.interval.ms", 1500);
        configuration.put("auto.offset.reset", "earliest");
        Thread input = endOfInput();
        try (var consumer = consumer(configuration)) {
            consumer.subscribe(List.of(argument("topic")));
            while (left > 0 && input.isAlive()) {
                left -= sayAndCommit(consumer, consumer.poll(POLL), left);
            }
        }
    }

    /** Says at most so many of the records, commits them, and says how many they were. */
    private static long sayAndCommit(
        KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records, long most) throws IOException {
        long said = 0;
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        for (var record : records) {
            if (said < most) {
                sayRecord(record);
                said++;
                next.put(
                    new TopicPartition(record.topic(), record.partition()),
                    new OffsetAndMetadata(record.offset() + 1, record.leaderEpoch(), "by the Java adapter"));
            }
        }
        try {
            consumer.commitSync(next);
        } catch (CommitFailedException | RebalanceInProgressException rebalances) {
            // Whoever has the partition next reads these records again.
        }
        return said;
    }

    /** A thread that lives until standard input ends. */
    private static Thread endOfInput() {
        Thread thread = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is expected there.
                }
            } catch (IOException end) {
                // Ended as well.
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private void groups() throws Exception {
        var groups = withAdmin(admin -> admin.listGroups().all());
        say(Map.of("groups", groups.stream().map(GroupListing::groupId).toList()));
    }
}
