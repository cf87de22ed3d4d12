#include "app/commands/commands.h"
#include "app/commands/opened.h"
#include "app/site/layout.h"
#include "sense/port/host/factory_model.h"
#include "sense/port/host/provisioning.h"
#include "store/devices/registry.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>
#include <memory>

namespace stator::commands {

namespace {

using Verb = std::function<int(real::Real&, const config::Config&, devices::Registry&)>;

int with_registry(const std::string& state_dir, const Verb& verb) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    auto registry = devices::Registry::make(real.doors, {.state_directory = state_dir});
    if (!registry) return tell(registry.error());
    return verb(real, *config, **registry);
}

std::string example_reading(const std::string& device) {
    return fmt::format(
        R"({{"deviceID":"{}","current":1.25,"temperature":31.5,"vibration":0.08,)"
        R"("sound":0.2,"fft_data":"true"}})",
        device
    );
}

int add_device(const config::Config& config, devices::Registry& registry, const std::string& name) {
    auto added = registry.add_with_certificate(name);
    if (!added) return tell(added.error());
    fmt::print("{} may publish from now on. Its key and certificate: {}\n", name, added->directory);
    fmt::print("Send a reading:\n\n");
    fmt::print(
        "  mosquitto_pub -h {} -p {} -V 5 --cafile {}/pki/ca.pem --cert {} --key {} -i {} -q 1 -t "
        "{} -m '{}'\n",
        config.host,
        config.ports.mqtts,
        config.state_dir,
        added->certificate_file,
        added->key_file,
        name,
        config.topics.data,
        example_reading(name)
    );
    return 0;
}

int admit_legacy(
    const config::Config& config, devices::Registry& registry, const std::string& name, bool bare
) {
    if (config.ports.mqtt == 0)
        return tell({base::Fault::bad_input, "ports.mqtt is 0: set it in stator.toml, restart"});
    auto password = registry.admit_legacy(
        name, identity::Role::sensor, bare ? devices::Legacy::bare : devices::Legacy::password
    );
    if (!password) return tell(password.error());
    fmt::print(
        "{} may publish without certificate, from this machine only (127.0.0.1:{}).\n",
        name,
        config.ports.mqtt
    );
    if (!bare) fmt::print("Its password, shown this once: {}\n", *password);
    fmt::print(
        "Send a reading:\n\n"
        "  mosquitto_pub -h 127.0.0.1 -p {} -V 5 -i {}{} -q 1 -t {} -m '{}'\n",
        config.ports.mqtt,
        name,
        bare ? std::string{} : fmt::format(" -u {} -P {}", name, *password),
        config.topics.data,
        example_reading(name)
    );
    return 0;
}

int list_devices(devices::Registry& registry) {
    auto devices = registry.list();
    if (!devices) return tell(devices.error());
    for (const devices::Device& device : *devices)
        fmt::print(
            "{:<24} {:<8} {:<12} {}{}\n",
            device.id,
            identity::name_of(device.role),
            devices::name_of(device.state),
            device.title,
            device.legacy ? "  (legacy: without certificate)" : ""
        );
    return 0;
}

int done_or_told(const Outcome<void>& done, const std::string& said) {
    if (!done) return tell(done.error());
    fmt::print("{}\n", said);
    return 0;
}

// What `stator device flash --model` does for a board: this one has a file in the flash's place.
int give_factory_model(
    const std::string& state_dir, const std::string& device, const std::string& file
) {
    real::Real real;
    auto config = open_config(real, state_dir);
    if (!config) return tell(config.error());
    const auto asset = config::asset_of_device(*config, device);
    if (!asset) return tell(asset.error());
    const std::string directory = state_dir + "/nodes/" + device;
    auto provisioning = host::read_provisioning(real.doors, directory);
    if (!provisioning) return tell(provisioning.error());
    const auto model =
        host::make_factory_model(real.doors, file, provisioning->model_public_pem, **asset);
    if (!model) return tell(model.error());
    return done_or_told(
        host::write_factory_model(real.doors, directory, *model),
        device + " falls back to " + file + " from its next start on"
    );
}

void add_factory_model(CLI::App& device, Chosen& chosen) {
    auto* give = device.add_subcommand(
        "factory-model", "What a device on this machine runs when nothing that it committed can"
    );
    auto name = std::make_shared<std::string>();
    auto file = std::make_shared<std::string>();
    add_state(*give, chosen);
    give->add_option("NAME", *name, "The device's id")->required();
    give->add_option("MODEL", *file, "A .tflite, MODEL.manifest beside it")->required();
    give->callback([name, file, &chosen] {
        chosen.run = [name, file, &chosen] {
            return give_factory_model(chosen.state_dir, *name, *file);
        };
    });
}

}  // namespace

void add_devices(CLI::App& program, Chosen& chosen) {
    auto* device = program.add_subcommand("device", "Who may take part");
    device->require_subcommand(1);
    const auto verb = [&](const char* name, const char* what, auto run) {
        auto* command = device->add_subcommand(name, what);
        auto id = std::make_shared<std::string>();
        add_state(*command, chosen);
        command->add_option("NAME", *id, "The device's id")->required();
        command->callback([&chosen, id, run] {
            chosen.run = [&chosen, id, run] {
                return with_registry(
                    chosen.state_dir,
                    [id, run](
                        real::Real&, const config::Config& config, devices::Registry& registry
                    ) { return run(config, registry, *id); }
                );
            };
        });
        return command;
    };
    verb(
        "add",
        "A sensor of your own: makes its certificate, prints a ready mosquitto_pub line",
        add_device
    );
    verb(
        "activate",
        "Lets a provisioned device work",
        [](const config::Config&, devices::Registry& registry, const std::string& id) {
            return done_or_told(registry.activate(id), id + " is active");
        }
    );
    verb(
        "revoke",
        "Shuts a device out, for good, live connections too",
        [](const config::Config&, devices::Registry& registry, const std::string& id) {
            return done_or_told(registry.revoke(id), id + " is revoked");
        }
    );
    verb(
        "code",
        "A one-time code, with which a device that makes its own key enrols",
        [](const config::Config&, devices::Registry& registry, const std::string& id) {
            if (auto done = registry.provision(id, identity::Role::actor, id); !done)
                return tell(done.error());
            auto code = registry.make_code(id);
            if (!code) return tell(code.error());
            fmt::print("{}\n", *code);
            return 0;
        }
    );
    verb(
        "end-legacy",
        "Ends a legacy exception: the device needs a certificate again",
        [](const config::Config&, devices::Registry& registry, const std::string& id) {
            return done_or_told(registry.end_legacy(id), id + " needs a certificate from now on");
        }
    );
    auto bare = std::make_shared<bool>(false);
    verb(
        "legacy",
        "Lets in a device that cannot do mutual TLS, from this machine only",
        [bare](const config::Config& config, devices::Registry& registry, const std::string& id) {
            return admit_legacy(config, registry, id, *bare);
        }
    )->add_flag("--bare", *bare, "Without a password too");
    add_flash(*device, chosen);
    add_factory_model(*device, chosen);
    auto* list = device->add_subcommand("list", "Every device, its role and state");
    add_state(*list, chosen);
    list->callback([&chosen] {
        chosen.run = [&chosen] {
            return with_registry(
                chosen.state_dir,
                [](real::Real&, const config::Config&, devices::Registry& registry) {
                    return list_devices(registry);
                }
            );
        };
    });
}

}  // namespace stator::commands
