// The kafka door: a producer that says what the brokers have stored, and a consumer of a group.
//
// Producer: idempotent, acks=all, keyed; produce() queues (Fault::full above queue_max) and an
// acknowledgement with its id follows from poll() once all in-sync replicas have the record. Order
// is kept per key. Consumer: takes records, commits by hand: at least once. Both are polled, and
// connect again by themselves for as long as it takes.
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
    std::string certificate_file;
    std::string key_file;
    std::string scram_user;  // SASL/SCRAM-SHA-512 when set
    std::string scram_password;
};

struct Options {
    std::string brokers;  // "host:32199,host:32200"
    Credentials credentials;
    std::size_t queue_max = 100'000;
    std::size_t queue_bytes_max = 16U << 20U;
    std::string group;  // of a consumer
    std::vector<std::string> topics;
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
    bool stored = false;  // false: `reason` is final, the record is not in Kafka
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
    // Everything taken so far up to and with this record of its partition is done.
    [[nodiscard]] virtual Outcome<void> commit(const Record& record) = 0;
};

class Kafka {
  public:
    virtual ~Kafka() = default;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Producer>> producer(const Options& options) = 0;
    [[nodiscard]] virtual Outcome<std::unique_ptr<Consumer>> consumer(const Options& options) = 0;
};

}  // namespace stator::kafka
