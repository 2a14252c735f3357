// The registry as bytes, and back.
#include <algorithm>

#include "fleet/bytes.h"
#include "fleet/registry.h"

namespace weir::fleet {
namespace {

void put_codes(std::string& out, const std::map<std::string, uint16_t>& codes) {
  put_number(out, static_cast<uint32_t>(codes.size()));
  for (const auto& [name, code] : codes) {
    put_text(out, name);
    put_number(out, code);
  }
}

void take_codes(Taker& in, std::map<std::string, uint16_t>& codes) {
  for (uint32_t n = in.count(6); n > 0 && in.ok(); --n) {
    const std::string name(in.text());
    codes[name] = in.number<uint16_t>();
  }
}

void put_numbers(std::string& out, const std::vector<uint32_t>& numbers) {
  put_number(out, static_cast<uint32_t>(numbers.size()));
  for (const uint32_t n : numbers) put_number(out, n);
}

std::vector<uint32_t> take_numbers(Taker& in) {
  std::vector<uint32_t> out(in.count(4));
  for (uint32_t& n : out) n = in.number<uint32_t>();
  return out;
}

}  // namespace

void Registry::save(std::string& out) const {
  put_number(out, static_cast<uint32_t>(services_.size()));
  for (const ServiceEntry& s : services_) {
    put_text(out, s.spec.name);
    put_number(out, s.spec.dry_run);
    put_number(out, static_cast<uint8_t>(s.spec.detector));
    put_number(out, s.present);
    put_number(out, s.declared);
    put_number(out, static_cast<uint32_t>(s.groups.size()));
    for (const auto& [peers, group] : s.groups) {
      put_text(out, std::get<0>(peers));
      put_text(out, std::get<1>(peers));
      put_text(out, std::get<2>(peers));
      put_number(out, group);
    }
    put_codes(out, s.versions);
    put_codes(out, s.zones);
    put_codes(out, s.hardware);
  }
  put_number(out, static_cast<uint32_t>(members_.size()));
  for (const Member& m : members_) {
    put_number(out, m.tag);
    put_number(out, m.info != nullptr);
    if (m.info == nullptr) continue;
    put_number(out, m.service);
    put_number(out, m.group);
    put_number(out, m.host);
    put_number(out, m.weight);
    put_number(out, m.declared);
    put_text(out, m.start);
    put_text(out, m.info->name);
    put_text(out, m.info->address);
    put_number(out, m.info->port);
    put_text(out, m.info->version);
    put_text(out, m.info->zone);
    put_text(out, m.info->hardware);
    put_text(out, m.info->host);
  }
  put_number(out, next_host_);
  put_numbers(out, free_hosts_);
  put_number(out, static_cast<uint32_t>(reporters_.size()));
  for (const Reporter& r : reporters_) {
    put_text(out, r.name);
    put_number(out, r.last);
  }
  put_numbers(out, free_reporters_);
  put_number(out, swept_at_);
}

Result<void> Registry::load(std::string_view& bytes) {
  const auto corrupt = [] {
    return fail(ErrorCode::corrupt, "the saved registry is not what was written");
  };
  Taker in(bytes);
  services_.resize(in.count(20));
  for (uint32_t number = 0; number < services_.size() && in.ok(); ++number) {
    ServiceEntry& s = services_[number];
    s.spec.name = in.text();
    s.spec.dry_run = in.number<bool>();
    const auto detector = in.number<uint8_t>();
    in.need(detector <= static_cast<uint8_t>(schedule::Detector::consecutive_errors));
    s.spec.detector = static_cast<schedule::Detector>(detector);
    s.present = in.number<bool>();
    s.declared = in.number<bool>();
    for (uint32_t n = in.count(16); n > 0 && in.ok(); --n) {
      std::string version(in.text());
      std::string zone(in.text());
      std::string hardware(in.text());
      s.groups[{std::move(version), std::move(zone), std::move(hardware)}] = in.number<uint32_t>();
    }
    take_codes(in, s.versions);
    take_codes(in, s.zones);
    take_codes(in, s.hardware);
    in.need(service_numbers_.emplace(s.spec.name, number).second);
  }
  members_.resize(in.count(2));
  for (uint32_t number = 0; number < members_.size() && in.ok(); ++number) {
    Member& m = members_[number];
    m.tag = in.number<uint8_t>();
    if (!in.number<bool>()) continue;
    m.service = in.number<uint32_t>();
    m.group = in.number<uint32_t>();
    m.host = in.number<uint32_t>();
    m.weight = in.number<uint16_t>();
    m.declared = in.number<bool>();
    m.start = in.text();
    EndpointInfo info;
    info.name = in.text();
    info.address = in.text();
    info.port = in.number<uint16_t>();
    info.version = in.text();
    info.zone = in.text();
    info.hardware = in.text();
    info.host = in.text();
    in.need(m.service < services_.size() && scheduler_.verdict(number).has_value());
    if (!in.ok()) break;
    m.name_hash = name_hash(info.name);
    m.info = std::make_shared<const EndpointInfo>(std::move(info));
    ServiceEntry& s = services_[m.service];
    in.need(s.by_name.emplace(m.info->name, number).second);
    if (!m.info->host.empty()) {
      Host& host = hosts_[m.info->host];
      host.number = m.host;
      ++host.endpoints;
    }
  }
  uint32_t named = 0;
  for (const ServiceEntry& s : services_) named += static_cast<uint32_t>(s.by_name.size());
  in.need(named == scheduler_.endpoints());
  next_host_ = in.number<uint32_t>();
  free_hosts_ = take_numbers(in);
  reporters_.resize(in.count(8));
  for (uint32_t r = 0; r < reporters_.size() && in.ok(); ++r) {
    reporters_[r].name = in.text();
    reporters_[r].last = in.number<uint32_t>();
    if (!reporters_[r].name.empty()) reporter_numbers_[reporters_[r].name] = r;
  }
  free_reporters_ = take_numbers(in);
  for (const uint32_t r : free_reporters_)
    in.need(r < reporters_.size() && reporters_[r].name.empty());
  swept_at_ = in.number<uint32_t>();
  if (!in.ok()) return corrupt();
  bytes = in.left();
  return {};
}

}  // namespace weir::fleet
