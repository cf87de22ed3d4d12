// wire_topics() makes the site's four names of the configuration into the wire's Topics.
//
// Every part that hears or says a message takes its names from here, so that all of them agree.
#pragma once

#include "app/config/config.h"
#include "shared/wire/topics.h"

namespace stator::config {

// Fault::bad_input, with the key, where a name is empty, longer than 128 bytes, holds a wildcard, a
// blank or a control character, begins with '$' or with Stator's own "stator/", or stands twice.
[[nodiscard]] Outcome<wire::Topics> wire_topics(const Topics& topics);

}  // namespace stator::config
