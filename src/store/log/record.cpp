#include "store/log/record.h"

namespace stator::log {

std::string_view name_of(Class log_class) {
    switch (log_class) {
        case Class::waveform:
            return "waveform";
        case Class::telemetry:
            return "telemetry";
        case Class::alarm:
            return "alarm";
        case Class::control:
            return "control";
    }
    return "unknown";
}

std::optional<Class> class_named(std::string_view name) {
    for (std::size_t i = 0; i < class_count; ++i)
        if (const auto log_class = static_cast<Class>(i); name_of(log_class) == name)
            return log_class;
    return std::nullopt;
}

std::string_view name_of(Identity identity) {
    switch (identity) {
        case Identity::certificate:
            return "certificate";
        case Identity::legacy:
            return "legacy";
        case Identity::vouched:
            return "vouched";
        case Identity::self:
            return "self";
    }
    return "unknown";
}

}  // namespace stator::log
