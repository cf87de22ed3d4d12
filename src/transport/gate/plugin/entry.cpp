// The C entry of the gate: Mosquitto's plugin API, version 5. Translates, and fails closed.
//
// Everything is decided in ACL_CHECK: it carries the payload, comes before the acknowledgement, and
// unlike MESSAGE comes for wills too. A publish that must not be acknowledged returns an error
// other than ACL_DENIED, which makes Mosquitto 2.0.11 end the connection.
#include "transport/gate/gate.h"
#include "transport/gate/log_storage.h"
#include "transport/gate/plugin/helper.h"
#include "transport/gate/plugin/reminder.h"
#include "transport/gate/plugin/waker.h"
#include "world/clock/real.h"
#include "world/disk/posix.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace stator::gate {

namespace {

class BrokerJournal final : public journal::Journal {
  public:
    void say(journal::Level level, std::string_view tag, std::string_view text) override {
        const int priority = level == journal::Level::error     ? MOSQ_LOG_ERR
                             : level == journal::Level::warning ? MOSQ_LOG_WARNING
                                                                : MOSQ_LOG_NOTICE;
        std::string line{text};
        for (char& c : line)  // what a device says cannot forge a line
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
        mosquitto_log_printf(
            priority, "%.*s: %s", static_cast<int>(tag.size()), tag.data(), line.c_str()
        );
    }
};

class RealBroker final : public mqtt::Broker {
  public:
    void publish_to(
        const std::string& client_id, const std::string& topic, const std::string& payload, int qos
    ) override {
        mosquitto_broker_publish_copy(
            client_id.c_str(),
            topic.c_str(),
            static_cast<int>(payload.size()),
            payload.data(),
            qos,
            false,
            nullptr
        );
    }

    void kick(const std::string& client_id) override {
        mosquitto_kick_client_by_clientid(client_id.c_str(), false);
    }
};

// The gate looks at the time four times a message, and measures nothing finer than milliseconds:
// the kernel's last tick (1 to 10 ms old) serves, for a tenth of the price. When a message came is
// told by the real clock.
class TickClock final : public clock::Clock {
  public:
    std::int64_t unix_ms() override { return real_.unix_ms(); }

    std::int64_t monotonic_us() override {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    }

    void wait_us(std::int64_t duration_us) override { real_.wait_us(duration_us); }

  private:
    clock::RealClock real_;
};

// A message is on the disk soon after, and many together: the contract allows 50 ms.
constexpr std::chrono::milliseconds syncs_apart{25};

// What may come in the 2 ms between two hand-overs to the log's readers, with room to spare. Alarms
// and control are too few to gather, and their readers wait for each.
constexpr std::uint64_t gathered_bytes = 256U << 10U;

// Readers see what was gathered so much after its hand-over was due, at the latest.
constexpr std::chrono::milliseconds reminders_apart{3};

struct Settings {
    std::string state_directory;
    Options gate;
    log::Budgets budgets;
};

// What lives between init and cleanup; members in the order of their needs.
struct Plugin {
    mosquitto_plugin_id_t* identifier = nullptr;
    TickClock clock;
    disk::PosixDisk disk;
    BrokerJournal journal;
    RealBroker broker;
    Helper syncs{syncs_apart, Waker{}};
    Helper retirements;
    Helper reports;  // and reads large rights snapshots
    Reminder reminder{reminders_apart};
    std::unique_ptr<LogStorage> storage;
    std::unique_ptr<devices::RightsReader> rights;
    std::unique_ptr<Gate> gate;
    std::string metrics_file;
    std::int64_t reported_us = 0;
};

std::uint64_t handle_of(const mosquitto* client) {
    return reinterpret_cast<std::uintptr_t>(client);
}

struct FreeX509 {
    void operator()(X509* certificate) const { X509_free(certificate); }
};

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string uri_of(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)
    )};
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
        return {
            reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))
        };
    }
    return {};
}

std::string serial_of(const X509* certificate) {
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> number{
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), BN_free
    };
    if (number == nullptr) return {};
    char* text = BN_bn2hex(number.get());
    const std::string serial = text == nullptr ? "" : text;
    OPENSSL_free(text);
    return serial;
}

std::string text_or_empty(const char* text) {
    return text == nullptr ? "" : text;
}

bool is_loopback(std::string_view address) {
    if (address.starts_with("::ffff:")) address.remove_prefix(7);  // a websockets client
    return address.starts_with("127.") || address == "::1";
}

int on_basic_auth(Plugin& plugin, const mosquitto_evt_basic_auth& event) {
    mqtt::Peer peer;
    peer.handle = handle_of(event.client);
    peer.client_id = text_or_empty(mosquitto_client_id(event.client));
    peer.username = text_or_empty(event.username);
    peer.password = text_or_empty(event.password);
    peer.loopback = is_loopback(text_or_empty(mosquitto_client_address(event.client)));
    peer.protocol_version = mosquitto_client_protocol_version(event.client);
    const std::unique_ptr<X509, FreeX509> certificate{
        static_cast<X509*>(mosquitto_client_certificate(event.client))
    };
    if (certificate != nullptr) {
        peer.uri = uri_of(certificate.get());
        peer.serial = serial_of(certificate.get());
        if (peer.uri.empty()) peer.uri = "none";  // a certificate of ours always has one
    }
    if (!plugin.gate->connect(peer)) return MOSQ_ERR_AUTH;
    mosquitto_set_username(event.client, peer.client_id.c_str());
    return MOSQ_ERR_SUCCESS;
}

int answer(mqtt::Verdict verdict) {
    switch (verdict) {
        case mqtt::Verdict::accept:
            return MOSQ_ERR_SUCCESS;
        case mqtt::Verdict::deny:
            return MOSQ_ERR_ACL_DENIED;
        case mqtt::Verdict::drop:
            break;
    }
    return MOSQ_ERR_NOMEM;  // no acknowledgement, and the connection ends
}

int on_acl_check(Plugin& plugin, const mosquitto_evt_acl_check& event) {
    const std::uint64_t handle = handle_of(event.client);
    const std::string_view topic = event.topic == nullptr ? "" : event.topic;
    switch (event.access) {
        case MOSQ_ACL_READ:
            return plugin.gate->deliver(handle, topic) ? MOSQ_ERR_SUCCESS : MOSQ_ERR_ACL_DENIED;
        case MOSQ_ACL_WRITE:
            return answer(plugin.gate->publish(
                {handle,
                 topic,
                 {static_cast<const char*>(event.payload), event.payloadlen},
                 event.qos,
                 event.retain}
            ));
        case MOSQ_ACL_SUBSCRIBE:
            return answer(plugin.gate->subscribe(handle, topic));
        case MOSQ_ACL_UNSUBSCRIBE:
            return MOSQ_ERR_SUCCESS;
        default:
            return MOSQ_ERR_ACL_DENIED;
    }
}

// A report is no promise: no sync, and a missed second does not matter.
void write_report(const std::string& path, const std::string& text) {
    const std::string draft = path + ".new";
    {
        std::ofstream out{draft, std::ios::binary | std::ios::trunc};
        out << text;
        if (!out.flush()) return;
    }
    std::ignore = std::rename(draft.c_str(), path.c_str());
}

int on_tick(Plugin& plugin) {
    plugin.gate->tick(plugin.broker);
    // A tick is the last thing before the broker sleeps, for up to 100 ms where no client speaks.
    plugin.reminder.remind(plugin.storage->behind());
    const std::int64_t now_us = plugin.clock.monotonic_us();
    if (now_us - plugin.reported_us >= 1'000'000 && plugin.reports.done()) {
        plugin.reported_us = now_us;
        plugin.reports.start([path = plugin.metrics_file, text = plugin.gate->metrics_text()] {
            write_report(path, text);
        });
    }
    return MOSQ_ERR_SUCCESS;
}

int dispatch(int kind, void* event, Plugin& plugin) {
    switch (kind) {
        case MOSQ_EVT_BASIC_AUTH:
            return on_basic_auth(plugin, *static_cast<mosquitto_evt_basic_auth*>(event));
        case MOSQ_EVT_ACL_CHECK:
            return on_acl_check(plugin, *static_cast<mosquitto_evt_acl_check*>(event));
        case MOSQ_EVT_DISCONNECT:
            plugin.gate->disconnect(handle_of(static_cast<mosquitto_evt_disconnect*>(event)->client)
            );
            return MOSQ_ERR_SUCCESS;
        case MOSQ_EVT_TICK:
            return on_tick(plugin);
        default:
            return MOSQ_ERR_SUCCESS;
    }
}

int on_event(int kind, void* event, void* plugin) noexcept {
    try {
        return dispatch(kind, event, *static_cast<Plugin*>(plugin));
    } catch (...) {  // no memory: refuse, do not acknowledge, go on
        return kind == MOSQ_EVT_BASIC_AUTH ? MOSQ_ERR_AUTH : MOSQ_ERR_NOMEM;
    }
}

constexpr std::array events{
    MOSQ_EVT_BASIC_AUTH, MOSQ_EVT_ACL_CHECK, MOSQ_EVT_DISCONNECT, MOSQ_EVT_TICK
};

template <typename T>
bool read_number(std::string_view text, T& into) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), into);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

// `name:class,name:class`: the readers that pin the log.
bool read_required(std::string_view text, log::Budgets& budgets) {
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), one.size() + 1));
        const std::size_t colon = one.find(':');
        bool known = false;
        for (std::size_t i = 0; colon != std::string_view::npos && i < log::class_count; ++i) {
            const auto log_class = static_cast<log::Class>(i);
            if (one.substr(colon + 1) != log::name_of(log_class)) continue;
            budgets.required.emplace_back(std::string{one.substr(0, colon)}, log_class);
            known = true;
        }
        if (!known) return false;
    }
    return true;
}

// Of `alarm_bytes` and the like; none for another option.
log::Budget* budget_named(std::string_view key, log::Budgets& budgets) {
    if (key == "waveform_bytes") return &budgets.waveform;
    if (key == "telemetry_bytes") return &budgets.telemetry;
    if (key == "alarm_bytes") return &budgets.alarm;
    if (key == "control_bytes") return &budgets.control;
    return nullptr;
}

// Of `topic_data` and the like; none for another option.
wire::Topic* topic_named(std::string_view key, wire::Topics& topics) {
    if (key == "topic_data") return &topics.data;
    if (key == "topic_level1") return &topics.inference;
    if (key == "topic_level2") return &topics.alert;
    if (key == "topic_control") return &topics.control;
    return nullptr;
}

// The name of the option that is wrong, or empty.
std::string read_settings(const mosquitto_opt* options, int count, Settings& settings) {
    for (int i = 0; i < count; ++i) {
        const std::string_view key = options[i].key;
        const std::string_view value = options[i].value == nullptr ? "" : options[i].value;
        bool good = false;
        if (key == "state") {
            settings.state_directory = value;
            good = value.starts_with('/');
        } else if (key == "payload_bytes_max") {
            good = read_number(value, settings.gate.payload_bytes_max);
        } else if (key == "rate_per_s") {
            good = read_number(value, settings.gate.rate_per_s);
            settings.gate.burst = settings.gate.rate_per_s * 2.0;
        } else if (log::Budget* budget = budget_named(key, settings.budgets)) {
            good = read_number(value, budget->bytes);
            budget->segment_bytes = std::min(budget->segment_bytes, budget->bytes / 8);
        } else if (wire::Topic* topic = topic_named(key, settings.gate.topics)) {
            good = !value.empty() && topic->assign(value);
        } else if (key == "required") {
            good = read_required(value, settings.budgets);
        }
        if (!good) return std::string{key};
    }
    return settings.state_directory.empty() ? "state" : "";
}

int start(mosquitto_plugin_id_t* identifier, void** user_data, const Settings& settings) {
    auto plugin = std::make_unique<Plugin>();
    const std::string& state = settings.state_directory;
    plugin->identifier = identifier;
    plugin->metrics_file = state + "/run/gate.metrics";
    for (const std::string& directory : {state + "/run", state + "/log"})
        if (const auto made = plugin->disk.make_directories(directory); !made) {
            plugin->journal.error("gate", made.error().what);
            return MOSQ_ERR_UNKNOWN;
        }
    auto storage = LogStorage::open(
        plugin->disk,
        plugin->clock,
        plugin->journal,
        Runners{plugin->syncs, plugin->retirements},
        state + "/log",
        settings.budgets
    );
    if (!storage) {
        plugin->journal.error("gate", storage.error().what);
        return MOSQ_ERR_UNKNOWN;
    }
    plugin->storage = std::move(*storage);
    plugin->rights =
        std::make_unique<devices::RightsReader>(plugin->disk, devices::rights_path(state));
    plugin->gate = std::make_unique<Gate>(
        *plugin->storage, *plugin->rights, plugin->clock, plugin->journal, settings.gate
    );
    plugin->rights->read_beside([&reports = plugin->reports](std::function<void()> job) {
        if (!reports.done()) return false;
        reports.start(std::move(job));
        return true;
    });
    for (const int event : events) {
        const int code =
            mosquitto_callback_register(identifier, event, on_event, nullptr, plugin.get());
        if (code != MOSQ_ERR_SUCCESS) return code;
    }
    *user_data = plugin.release();  // until mosquitto_plugin_cleanup()
    return MOSQ_ERR_SUCCESS;
}

}  // namespace

}  // namespace stator::gate

#define STATOR_EXPORT extern "C" __attribute__((visibility("default")))

STATOR_EXPORT int mosquitto_plugin_version(int count, const int* versions) {
    for (int i = 0; i < count; ++i)
        if (versions[i] == MOSQ_PLUGIN_VERSION) return MOSQ_PLUGIN_VERSION;
    return -1;
}

STATOR_EXPORT int mosquitto_plugin_init(
    mosquitto_plugin_id_t* identifier, void** user_data, mosquitto_opt* options, int count
) {
    try {
        stator::gate::Settings settings;
        settings.budgets.required.clear();
        settings.budgets.telemetry.gathered_bytes = stator::gate::gathered_bytes;
        settings.budgets.waveform.gathered_bytes = stator::gate::gathered_bytes;
        const std::string wrong = stator::gate::read_settings(options, count, settings);
        if (wrong.empty()) return stator::gate::start(identifier, user_data, settings);
        mosquitto_log_printf(
            MOSQ_LOG_ERR, "gate: plugin_opt_%s is missing or wrong", wrong.c_str()
        );
        return MOSQ_ERR_INVAL;
    } catch (...) {
        return MOSQ_ERR_NOMEM;
    }
}

STATOR_EXPORT int mosquitto_plugin_cleanup(
    void* user_data, mosquitto_opt* /*options*/, int /*count*/
) {
    auto* const plugin = static_cast<stator::gate::Plugin*>(user_data);
    if (plugin == nullptr) return MOSQ_ERR_SUCCESS;
    for (const int event : stator::gate::events)
        mosquitto_callback_unregister(plugin->identifier, event, stator::gate::on_event, nullptr);
    while (!plugin->retirements.done() || !plugin->syncs.done())  // a last one may be under way
        std::this_thread::yield();
    std::ignore = plugin->storage->poll_sync();
    plugin->storage->begin_sync();  // all of it, here
    while (plugin->storage->poll_sync() == stator::gate::Sync::running)
        std::this_thread::yield();
    delete plugin;
    return MOSQ_ERR_SUCCESS;
}
