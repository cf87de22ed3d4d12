// The kafka door: a producer that says what the brokers have stored, and a consumer of a group.
//
// Producer: idempotent, acks=all, LZ4, keyed as Java's clients key (murmur2); produce() queues
// (Fault::full above queue_max) and an acknowledgement with its id follows from poll() once all
// in-sync replicas have the record. Order is kept per key.
// Consumer: takes records, commits by hand: at least once. A partition may go to another member of
// the group at any time: what was taken of it and not committed, that one takes again.
// Both are polled, never block longer than the time-out given, and connect again by themselves for
// as long as it takes; trouble() says meanwhile what is wrong, in a sentence. Only what can never
// work (a file that is not there, a setting that is no setting) is an error at the start.
#pragma once

#include "world/outcome/outcome.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stator::kafka {

struct Credentials {
    std::string ca_file;  // TLS when set
    bool tls = false;     // with the machine's own CAs
    std::string certificate_file;
    std::string key_file;
    std::string scram_user;  // SASL when set
    std::string scram_password;
    std::string scram_mechanism = "SCRAM-SHA-512";  // or SCRAM-SHA-256
};

struct Options {
    std::string brokers;  // "host:32199,host:32200"
    Credentials credentials;
    std::size_t queue_max = 100'000;
    std::size_t queue_bytes_max = 16U << 20U;
    // A producer's record that is unanswered for this long while brokers are there goes again.
    // Above what an election and a request take (30 s).
    std::int32_t unanswered_ms_max = 60'000;
    // Of a consumer:
    std::string group;
    std::vector<std::string> topics;
    // The member's durable name: one that was killed and is back has its partitions at once, and a
    // second of the same name puts the first out (Fault::closed). Empty: a member among equals.
    std::string instance;
    bool latest = false;                       // where a group without a commit begins
    std::int32_t session_timeout_ms = 10'000;  // a killed member's partitions go to others then
};

using Headers = std::map<std::string, std::string>;

struct Record {
    std::string topic;
    std::string key;
    std::string value;
    Headers headers;
    std::int32_t partition = -1;
    std::int64_t offset = -1;
    std::int64_t unix_ms = 0;
};

struct Delivery {
    std::uint64_t id = 0;
    bool stored = false;  // false: it is not known to be in Kafka, for `reason`
    bool again = false;   // the reason passes: produce it again. Else Kafka will never take it.
    std::string reason;
};

class Producer {
  public:
    virtual ~Producer() = default;
    [[nodiscard]] virtual Outcome<std::uint64_t> produce(const Record& record) = 0;
    [[nodiscard]] virtual std::vector<Delivery> poll(std::int64_t timeout_us) = 0;
    // What the brokers' connection last complained of; empty when all is well.
    [[nodiscard]] virtual std::string trouble() const = 0;
};

class Consumer {
  public:
    virtual ~Consumer() = default;
    [[nodiscard]] virtual Outcome<std::vector<Record>> take(
        std::size_t records_max, std::int64_t timeout_us
    ) = 0;
    // Everything taken so far up to and with this record of its partition is done. Stored by and by
    // (take() and the destructor see to it), so a kill may bring some of it again.
    // Fault::not_found: the partition is another member's now, who takes again what is uncommitted.
    [[nodiscard]] virtual Outcome<void> commit(const Record& record) = 0;
    // Records that Kafka had deleted before they were taken, since the last call (not those that
    // went while this member was not there).
    [[nodiscard]] virtual std::uint64_t missed() = 0;
    // How many partitions are this member's now.
    [[nodiscard]] virtual std::size_t partitions() const = 0;
    [[nodiscard]] virtual std::string trouble() const = 0;
};

class Kafka {
  public:
    virtual ~Kafka() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Producer>> producer(const Options& options) = 0;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Consumer>> consumer(const Options& options) = 0;
};

}  // namespace stator::kafka
