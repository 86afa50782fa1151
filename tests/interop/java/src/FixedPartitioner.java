import java.util.Map;
import org.apache.kafka.clients.producer.Partitioner;
import org.apache.kafka.common.Cluster;

/** Lets the console producer, which cannot be told a partition, write to the one that its configuration names. */
public final class FixedPartitioner implements Partitioner {
    private int partition;

    @Override
    public void configure(Map<String, ?> configuration) {
        partition = Integer.parseInt((String) configuration.get("fixed.partition"));
    }

    @Override
    public int partition(String topic, Object key, byte[] keyBytes, Object value, byte[] valueBytes, Cluster cluster) {
        return partition;
    }

    @Override
    public void close() {}
}
