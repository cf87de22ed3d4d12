// Serve is the HTTP side of Files: an upload, a file, a listing, as the contract has them.
#pragma once

#include "store/files/files.h"
#include "store/identity/access.h"
#include "world/http/http.h"

#include <functional>
#include <string>

namespace stator::files {

// Why the content may not be stored, or nothing.
using Check = std::function<Outcome<void>(const http::Part& part)>;

class Serve {
  public:
    Serve(Files& files, identity::Access& access) : files_{files}, access_{access} {}

    // A multipart form with one part named `file`: services and engineers.
    [[nodiscard]] http::Response upload(
        const http::Request& request, const std::string& kind, const Check& check = {}
    );
    // The bytes, or a byte range of them: whoever has a credential.
    [[nodiscard]] http::Response get(
        const http::Request& request, const std::string& kind, const std::string& name
    );
    // Well-formed XHTML in which every <a> is a file and the last is the newest; JSON on demand.
    // `prefix`: of the links.
    [[nodiscard]] http::Response list(
        const http::Request& request, const std::string& kind, const std::string& prefix
    );

    // The refusal for who has no credential for reading, or nothing.
    [[nodiscard]] std::optional<http::Response> refuse_reader(const http::Request& request);
    [[nodiscard]] std::optional<http::Response> refuse_writer(const http::Request& request);

  private:
    Files& files_;
    identity::Access& access_;
};

[[nodiscard]] http::Response problem_of(const Error& error);
// 405; `allowed`: "GET, PUT".
[[nodiscard]] http::Response wrong_method(const http::Request& request, const std::string& allowed);

}  // namespace stator::files
