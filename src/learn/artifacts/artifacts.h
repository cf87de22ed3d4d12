// Artifacts is the learning side's client of the registry: raw data in, data sets and models out.
//
// Names are single path components. A failure says the address and what it answered; Fault::again
// means that trying later may help, Fault::exists that the name is taken.
#pragma once

#include "world/doors/doors.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stator::artifacts {

struct Options {
    std::string datasets_url = "https://127.0.0.1:30008";
    std::string models_url = "https://127.0.0.1:30007";

    // Where one kind of file lies elsewhere: whole URLs as the contract's containers are given
    // them, a name follows; empty: with the others.
    struct Elsewhere {
        std::string raw;                // https://HOST:30008/
        std::string normalised;         // https://HOST:30007/normalized_training_data/
        std::string normalised_upload;  // https://HOST:30007/uploadNormalizedData
        std::string full;               // https://HOST:30007/full
        std::string full_upload;        // https://HOST:30007/uploadModel
        std::string quantised_upload;   // https://HOST:30007/uploadQuantizedModel
    } elsewhere;

    std::string ca_file;
    std::string certificate_file;  // of the service `learn`
    std::string key_file;
};

class Artifacts {
  public:
    Artifacts(http::Http& http, const Options& options) : http_{http}, options_{options} {}

    [[nodiscard]] Outcome<std::string> raw(const std::string& name);
    [[nodiscard]] Outcome<std::string> normalised(const std::string& name);
    [[nodiscard]] Outcome<std::string> full(const std::string& name);

    [[nodiscard]] Outcome<void> upload_normalised(
        const std::string& name, const std::string& content
    );
    [[nodiscard]] Outcome<void> upload_full(const std::string& name, const std::string& content);
    [[nodiscard]] Outcome<void> upload_quantised(
        const std::string& name, const std::string& content
    );
    [[nodiscard]] Outcome<void> put_manifest(const std::string& name, const std::string& json);
    [[nodiscard]] Outcome<void> promote(const std::string& name);

  private:
    [[nodiscard]] Outcome<std::string> send(http::ClientRequest request);
    [[nodiscard]] Outcome<std::string> get(const std::string& url);
    [[nodiscard]] Outcome<void> upload(
        std::string url, const std::string& name, const std::string& content
    );
    // The service that signs: the one that the quantised models go to.
    [[nodiscard]] std::string signer() const;

    http::Http& http_;
    Options options_;
};

// "2026-11-23-03:00:00-model" + ending (".tflite", ".zip").
[[nodiscard]] std::string model_name(std::int64_t unix_ms, std::string_view ending);
// "normalized_training_data_2026-11-23T03:00:00:1795402800000.csv"
[[nodiscard]] std::string data_set_name(std::int64_t unix_ms);

}  // namespace stator::artifacts
