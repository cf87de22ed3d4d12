// mqtt_load publishes QoS 1 readings as fast as the broker acknowledges them, and says how fast.
//   mqtt_load PORT CLIENTS SECONDS WINDOW BOOT RATE [CREDENTIALS]
// RATE: messages a second of all clients together; 0 for as many as will go.
// Clients are named bare-1, bare-2, ...; with CREDENTIALS, a folder that holds ca.pem and
// <client>/certificate.pem and key.pem, load-1, load-2, ... over mutual TLS. Each asks for its
// `stored` marks. Prints one line of JSON: acknowledged, marks, seconds.
// One thread for all clients: the library's thread for each took more of the cores than the broker.
#include <fmt/format.h>

#include <mosquitto.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* topic = "shaded-pole-motor-sensor_data";
constexpr int packets_a_turn = 1000;
constexpr auto patience = std::chrono::seconds(30);

struct Client {
    std::string name;
    mosquitto* handle = nullptr;
    bool joined = false;
    bool lost = false;
    long acknowledged = 0;
    long marks = 0;
    long sent = 0;
};

Client& of(void* user) {
    return *static_cast<Client*>(user);
}

bool start(Client& client, int port, const std::string& credentials) {
    client.handle = mosquitto_new(client.name.c_str(), true, &client);
    if (client.handle == nullptr) return false;
    mosquitto_int_option(client.handle, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_max_inflight_messages_set(client.handle, 0);  // the window is ours
    mosquitto_connect_callback_set(client.handle, [](mosquitto* handle, void* user, int code) {
        if (code != 0) return;
        const std::string marks = "stator/devices/" + of(user).name + "/stored";
        mosquitto_subscribe(handle, nullptr, marks.c_str(), 0);
    });
    mosquitto_subscribe_callback_set(
        client.handle, [](mosquitto*, void* user, int, int, const int*) { of(user).joined = true; }
    );
    mosquitto_publish_callback_set(client.handle, [](mosquitto*, void* user, int) {
        ++of(user).acknowledged;
    });
    mosquitto_message_callback_set(
        client.handle, [](mosquitto*, void* user, const mosquitto_message*) { ++of(user).marks; }
    );
    mosquitto_disconnect_callback_set(client.handle, [](mosquitto*, void* user, int code) {
        if (code != 0) of(user).lost = true;
    });
    if (!credentials.empty()) {
        const std::string own = credentials + "/" + client.name;
        const int set = mosquitto_tls_set(
            client.handle,
            (credentials + "/ca.pem").c_str(),
            nullptr,
            (own + "/certificate.pem").c_str(),
            (own + "/key.pem").c_str(),
            nullptr
        );
        if (set != MOSQ_ERR_SUCCESS) return false;
    }
    return mosquitto_connect(client.handle, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS;
}

// As large as a device's reading of the contract with its features: about 330 bytes.
std::string reading(const std::string& name, long boot, long seq) {
    return fmt::format(
        R"({{"deviceID":"{}","current":0.61,"temperature":41.2,"vibration":0.12,"sound":0.8,)"
        R"("fft_data":"true","timeStamp":"{}","boot":{},"seq":{},"clock":"synced",)"
        R"("features":{{"vibration_crest":3.1,"vibration_kurtosis":2.9,"current_thd":0.08}},)"
        R"("featureSet":"a1b2c3d4","inference":0.12,"threshold":0.5,"alarm":false,)"
        R"("model":"2026-01-01-00:00:00-model.tflite","firmware":"0.1.0"}})",
        name,
        1700000000000 + seq,
        boot,
        seq
    );
}

// Writes what is left to write and reads what has come, waiting for it for `timeout_ms` at most.
void turn(std::deque<Client>& clients, int timeout_ms) {
    std::vector<pollfd> sockets;
    for (Client& client : clients) {
        const bool writes = mosquitto_want_write(client.handle);
        sockets.push_back(
            {.fd = mosquitto_socket(client.handle),
             .events = static_cast<short>(POLLIN | (writes ? POLLOUT : 0)),
             .revents = 0}
        );
    }
    const int ready = poll(sockets.data(), sockets.size(), timeout_ms);
    for (std::size_t i = 0; i < clients.size(); ++i) {
        mosquitto* const handle = clients[i].handle;
        // All of them when none is ready: OpenSSL may hold what has come already.
        if (ready <= 0 || (sockets[i].revents & POLLIN) != 0)
            mosquitto_loop_read(handle, packets_a_turn);
        if ((sockets[i].revents & POLLOUT) != 0) mosquitto_loop_write(handle, 1);
        mosquitto_loop_misc(handle);
        if ((sockets[i].revents & (POLLERR | POLLHUP)) != 0) clients[i].lost = true;
    }
}

bool wait_for(std::deque<Client>& clients, auto&& condition) {
    const auto end = Clock::now() + patience;
    while (!condition()) {
        if (Clock::now() > end) return false;
        turn(clients, 1);
    }
    return true;
}

bool number(const char* text, long& value) {
    return std::from_chars(text, text + std::strlen(text), value).ec == std::errc();
}

}  // namespace

int main(int count, char** words) {
    long port = 0, clients_count = 0, seconds = 0, window = 0, boot = 0, rate = 0;
    if (count < 6 || !number(words[1], port) || !number(words[2], clients_count) ||
        !number(words[3], seconds) || !number(words[4], window) || !number(words[5], boot) ||
        !number(words[6], rate)) {
        fmt::print(stderr, "mqtt_load PORT CLIENTS SECONDS WINDOW BOOT RATE [CREDENTIALS]\n");
        return 2;
    }
    const std::string credentials = count > 7 ? words[7] : "";
    mosquitto_lib_init();
    std::deque<Client> clients;
    for (long id = 1; id <= clients_count; ++id) {
        Client& client = clients.emplace_back();
        client.name = fmt::format("{}-{}", credentials.empty() ? "bare" : "load", id);
        if (!start(client, static_cast<int>(port), credentials)) {
            fmt::print(stderr, "{} could not connect\n", client.name);
            return 1;
        }
        if (!wait_for(clients, [&] { return client.joined; })) {
            fmt::print(stderr, "{} was not let in\n", client.name);
            return 1;
        }
    }
    const auto begun = Clock::now();
    const auto end = begun + std::chrono::seconds(seconds);
    while (Clock::now() < end) {
        const double passed_s = std::chrono::duration<double>(Clock::now() - begun).count();
        const long allowed =
            rate == 0 ? std::numeric_limits<long>::max()
                      : static_cast<long>(passed_s * static_cast<double>(rate)) / clients_count;
        for (Client& client : clients) {
            if (client.lost) {
                fmt::print(stderr, "{} was disconnected\n", client.name);
                return 1;
            }
            while (client.sent < allowed && client.sent - client.acknowledged < window) {
                const std::string text = reading(client.name, boot, ++client.sent);
                mosquitto_publish(
                    client.handle,
                    nullptr,
                    topic,
                    static_cast<int>(text.size()),
                    text.data(),
                    1,
                    false
                );
            }
        }
        turn(clients, 1);
    }
    for (Client& client : clients)
        if (!wait_for(clients, [&] { return client.acknowledged >= client.sent; })) {
            fmt::print(stderr, "{} was not acknowledged everything\n", client.name);
            return 1;
        }
    const double took = std::chrono::duration<double>(Clock::now() - begun).count();
    long acknowledged = 0, marks = 0;
    for (Client& client : clients) {
        acknowledged += client.acknowledged;
        marks += client.marks;
    }
    fmt::print(
        "{{\"acknowledged\": {}, \"marks\": {}, \"seconds\": {:.4f}}}\n", acknowledged, marks, took
    );
    for (Client& client : clients) {
        mosquitto_disconnect(client.handle);
        mosquitto_destroy(client.handle);
    }
    mosquitto_lib_cleanup();
    return 0;
}
