#include "world/mqtt/packets.h"

namespace stator::mqtt {

namespace {

constexpr std::uint8_t mqtt_5 = 5;
constexpr std::size_t length_bytes_max = 4;

std::unexpected<Error> malformed(std::string_view what) {
    return fail(base::Fault::bad_input, "the broker sent a malformed " + std::string{what});
}

// Reads big-endian numbers and lengths; once something was missing, it stays false.
class Cursor {
  public:
    explicit Cursor(std::string_view rest) : rest_{rest} {}

    [[nodiscard]] bool good() const { return good_; }

    [[nodiscard]] std::string_view rest() const { return rest_; }

    std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }

    std::uint16_t word() { return static_cast<std::uint16_t>(number(2)); }

    std::uint32_t number(std::size_t bytes) {
        std::uint32_t value = 0;
        for (const char c : take(bytes))
            value = value << 8U | static_cast<std::uint8_t>(c);
        return value;
    }

    std::string_view take(std::size_t bytes) {
        if (bytes > rest_.size()) {
            good_ = false;
            bytes = 0;
            rest_ = {};
        }
        const std::string_view taken = rest_.substr(0, bytes);
        rest_.remove_prefix(bytes);
        return taken;
    }

    std::string_view text() { return take(word()); }

    std::size_t length() {
        std::size_t value = 0;
        for (std::size_t i = 0; i < length_bytes_max; ++i) {
            const std::uint8_t part = byte();
            value |= static_cast<std::size_t>(part & 0x7FU) << (7 * i);
            if ((part & 0x80U) == 0) return value;
        }
        good_ = false;
        return 0;
    }

  private:
    std::string_view rest_;
    bool good_ = true;
};

void put_word(std::string& into, std::uint32_t value) {
    into += static_cast<char>(value >> 8U & 0xFFU);
    into += static_cast<char>(value & 0xFFU);
}

void put_long(std::string& into, std::uint32_t value) {
    put_word(into, value >> 16U);
    put_word(into, value & 0xFFFFU);
}

void put_text(std::string& into, std::string_view text) {
    put_word(into, static_cast<std::uint32_t>(text.size()));
    into += text;
}

void put_length(std::string& into, std::size_t length) {
    do {
        const std::size_t part = length & 0x7FU;
        length >>= 7U;
        into += static_cast<char>(part | (length > 0 ? 0x80U : 0U));
    } while (length > 0);
}

std::string packet_of(std::uint8_t first, std::string_view body) {
    std::string made{static_cast<char>(first)};
    put_length(made, body.size());
    return made.append(body);
}

// The properties of CONNACK that a subscriber must obey. Every one is of a known shape, or the
// packet is malformed.
Outcome<void> read_properties(std::string_view bytes, Connack& connack) {
    Cursor at{bytes};
    while (at.good() && !at.rest().empty()) {
        const std::uint8_t id = at.byte();
        switch (id) {
            case 0x13:  // server keep alive
                connack.keep_alive_s = at.word();
                break;
            case 0x21:  // receive maximum
            case 0x22:  // topic alias maximum
                (void)at.word();
                break;
            case 0x24:  // maximum QoS
            case 0x25:  // retain available
            case 0x28:  // wildcard subscription
            case 0x29:  // subscription identifiers
            case 0x2A:  // shared subscription
                (void)at.byte();
                break;
            case 0x11:  // session expiry
            case 0x27:  // maximum packet size
                (void)at.number(4);
                break;
            case 0x12:  // assigned client identifier
            case 0x15:  // authentication method
            case 0x16:  // authentication data
            case 0x1A:  // response information
            case 0x1C:  // server reference
            case 0x1F:  // reason
                (void)at.text();
                break;
            case 0x26:  // user property
                (void)at.text();
                (void)at.text();
                break;
            default:
                return malformed("CONNACK");
        }
    }
    if (!at.good()) return malformed("CONNACK");
    return {};
}

}  // namespace

Outcome<std::optional<RawPacket>> cut_packet(std::string_view bytes, std::size_t bytes_max) {
    if (bytes.size() < 2) return std::optional<RawPacket>{};
    std::size_t length = 0;
    std::size_t header = 1;
    for (;; ++header) {
        if (header > length_bytes_max) return malformed("length");
        if (header == bytes.size()) return std::optional<RawPacket>{};
        const auto part = static_cast<std::uint8_t>(bytes[header]);
        length |= static_cast<std::size_t>(part & 0x7FU) << (7 * (header - 1));
        if ((part & 0x80U) == 0) break;
    }
    ++header;
    if (header + length > bytes_max)
        return fail(
            base::Fault::full,
            "the broker sent a packet of " + std::to_string(header + length) +
                " bytes, and at most " + std::to_string(bytes_max) + " are taken"
        );
    if (bytes.size() < header + length) return std::optional<RawPacket>{};
    const auto first = static_cast<std::uint8_t>(bytes.front());
    return std::optional<RawPacket>{
        {.type = static_cast<std::uint8_t>(first >> 4U),
         .flags = static_cast<std::uint8_t>(first & 0x0FU),
         .body = bytes.substr(header, length),
         .size = header + length}
    };
}

Outcome<Connack> parse_connack(const RawPacket& raw, int protocol_version) {
    Cursor at{raw.body};
    const std::uint8_t flags = at.byte();
    Connack made;
    made.session_present = (flags & 1U) != 0;
    made.reason = at.byte();
    if (!at.good() || flags > 1) return malformed("CONNACK");
    if (protocol_version != mqtt_5 || at.rest().empty()) return made;
    const std::string_view properties = at.take(at.length());
    if (!at.good()) return malformed("CONNACK");
    if (auto done = read_properties(properties, made); !done) return std::unexpected(done.error());
    return made;
}

Outcome<Publish> parse_publish(const RawPacket& raw, int protocol_version) {
    Publish made;
    made.qos = static_cast<int>(raw.flags >> 1U & 3U);
    made.retain = (raw.flags & 1U) != 0;
    made.duplicate = (raw.flags & 8U) != 0;
    if (made.qos > 1) return malformed("PUBLISH: its QoS is above what was subscribed");
    Cursor at{raw.body};
    made.topic = at.text();
    if (made.qos > 0) made.packet = at.word();
    if (protocol_version == mqtt_5) (void)at.take(at.length());
    if (!at.good() || made.topic.empty() || (made.qos > 0 && made.packet == 0))
        return malformed("PUBLISH");
    made.payload = at.rest();
    return made;
}

Outcome<Suback> parse_suback(const RawPacket& raw, int protocol_version) {
    Cursor at{raw.body};
    Suback made;
    made.packet = at.word();
    if (protocol_version == mqtt_5) (void)at.take(at.length());
    if (!at.good() || at.rest().empty()) return malformed("SUBACK");
    for (const char c : at.rest())
        made.reasons.push_back(static_cast<std::uint8_t>(c));
    return made;
}

std::string make_connect(const Options& options, const ConnectSettings& settings) {
    const Credentials& who = options.credentials;
    std::string body;
    put_text(body, "MQTT");
    body += static_cast<char>(options.protocol_version);
    const unsigned flags = (options.clean_session ? 0x02U : 0U) |
                           (who.username.empty() ? 0U : 0x80U) |
                           (who.password.empty() ? 0U : 0x40U);
    body += static_cast<char>(flags);
    put_word(body, static_cast<std::uint32_t>(options.keep_alive_s));
    if (options.protocol_version == mqtt_5) {
        std::string properties;
        if (!options.clean_session) {
            properties += '\x11';
            put_long(properties, settings.session_s);
        }
        properties += '\x21';
        put_word(properties, settings.receive_max);
        properties += '\x27';
        put_long(properties, settings.packet_bytes_max);
        put_length(body, properties.size());
        body += properties;
    }
    put_text(body, options.client_id);
    if (!who.username.empty()) put_text(body, who.username);
    if (!who.password.empty()) put_text(body, who.password);
    return packet_of(0x10, body);
}

std::string make_subscribe(
    std::uint16_t packet, const std::vector<std::string>& filters, int qos, int protocol_version
) {
    constexpr unsigned no_retained = 2U << 4U;  // retain handling: the broker's memory is no news
    std::string body;
    put_word(body, packet);
    if (protocol_version == mqtt_5) body += '\0';
    for (const std::string& filter : filters) {
        put_text(body, filter);
        body += static_cast<char>(
            static_cast<unsigned>(qos) | (protocol_version == mqtt_5 ? no_retained : 0U)
        );
    }
    return packet_of(0x82, body);
}

std::string make_puback(std::uint16_t packet) {
    std::string body;
    put_word(body, packet);
    return packet_of(0x40, body);
}

std::string make_pingreq() {
    return packet_of(0xC0, {});
}

std::string make_disconnect() {
    return packet_of(0xE0, {});
}

}  // namespace stator::mqtt
