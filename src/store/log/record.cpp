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

}  // namespace stator::log
