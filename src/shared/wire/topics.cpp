#include "shared/wire/topics.h"

#include <algorithm>
#include <array>

namespace stator::wire {
namespace {

constexpr std::string_view command_suffix = "/command";
constexpr std::string_view stored_suffix = "/stored";
constexpr std::string_view event_suffix = "/event";
constexpr std::string_view waveform_suffix = "/waveform";

Topic join(std::string_view prefix, std::string_view device, std::string_view suffix) {
    Topic topic;
    if (!topic.append(prefix) || !topic.append(device) || !topic.append(suffix)) topic.clear();
    return topic;
}

}  // namespace

bool valid_id(std::string_view id) {
    if (id.empty() || id.size() > id_bytes_max || id == "." || id == "..") return false;
    for (const char c : id) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

std::string_view fault_of_topic(std::string_view name) {
    if (name.empty()) return "is empty";
    if (name.size() > topic_bytes_max) return "is longer than 128 bytes";
    if (name.front() == '$') return "begins with '$', which is the broker's";
    if (name.starts_with("stator/")) return "begins with \"stator/\", where the devices' own are";
    const bool plain = std::ranges::all_of(name, [](char c) {
        return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '+' && c != '#';
    });
    return plain ? "" : "holds a blank, a control character or a wildcard";
}

bool Topics::can_be() const {
    const std::array four{data.view(), inference.view(), alert.view(), control.view()};
    for (std::size_t i = 0; i < four.size(); ++i)
        if (!fault_of_topic(four[i]).empty() ||
            std::find(four.begin(), four.begin() + i, four[i]) != four.begin() + i)
            return false;
    return true;
}

Topic Topics::command_of(std::string_view device) const {
    return join(device_prefix, device, command_suffix);
}

Topic Topics::stored_of(std::string_view device) const {
    return join(device_prefix, device, stored_suffix);
}

Topic Topics::event_of(std::string_view device) const {
    return join(device_prefix, device, event_suffix);
}

Topic Topics::waveform_of(std::string_view device) const {
    return join(device_prefix, device, waveform_suffix);
}

Topic Topics::presence_of(std::string_view device) const {
    return join(presence_prefix, device, "");
}

Place Topics::place_of(std::string_view topic) const {
    const auto bare = [](TopicKind kind) { return Place{.kind = kind, .device = {}}; };
    if (topic == data.view()) return bare(TopicKind::data);
    if (topic == inference.view()) return bare(TopicKind::inference);
    if (topic == alert.view()) return bare(TopicKind::alert);
    if (topic == control.view()) return bare(TopicKind::control);
    const auto under = [&](std::string_view prefix, std::string_view suffix, TopicKind kind) {
        Place place;
        if (!topic.starts_with(prefix) || !topic.ends_with(suffix)) return place;
        if (topic.size() < prefix.size() + suffix.size()) return place;
        const auto id = topic.substr(prefix.size(), topic.size() - prefix.size() - suffix.size());
        if (valid_id(id)) place = {.kind = kind, .device = id};
        return place;
    };
    for (const auto& [suffix, kind] :
         {std::pair{command_suffix, TopicKind::command},
          std::pair{stored_suffix, TopicKind::stored},
          std::pair{event_suffix, TopicKind::event},
          std::pair{waveform_suffix, TopicKind::waveform}}) {
        const Place place = under(device_prefix, suffix, kind);
        if (place.kind != TopicKind::unknown) return place;
    }
    return under(presence_prefix, "", TopicKind::presence);
}

}  // namespace stator::wire
