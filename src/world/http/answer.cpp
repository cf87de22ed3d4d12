#include "world/http/http.h"

#include <utility>

namespace stator::http {

Response answer(const Handler& handler, Request request) {
    const bool head = request.method == "HEAD";
    if (head) {
        request.method = "GET";
        request.headers.erase("range");  // only GET has ranges (RFC 9110, 14.2)
    }
    Response response = handler(request);
    if (head) {
        response.headers["Content-Length"] = std::to_string(response.body.size());
        response.body.clear();
        response.stream.reset();
    }
    return response;
}

}  // namespace stator::http
