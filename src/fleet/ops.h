// Ops: what changes a fleet, as bytes: the log that the state file keeps between two snapshots, and
// the stream that a standby follows. OpWriter observes a fleet and appends; apply_ops() does the
// same to another. Each op is a kind (u8), its length (u32) and its fields; the format belongs to
// one version of Weir, which both sides check. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "fleet/fleet.h"

namespace weir::fleet {

inline constexpr std::string_view kOpsMagic = "WFO1";

class OpWriter final : public Observer {
 public:
  // `samples`: with those, names of reporters, and seconds that were closed.
  explicit OpWriter(bool samples) : samples_(samples) {}

  // What was written since the last take(), without magic.
  std::string take() { return std::exchange(bytes_, {}); }
  size_t size() const { return bytes_.size(); }

  void service_put(const ServiceSpec& spec, bool declared) override;
  void service_removed(std::string_view service) override;
  void endpoint_put(std::string_view service, const EndpointSpec& spec) override;
  void endpoint_removed(std::string_view service, std::string_view endpoint) override;
  void preheated(std::string_view service, std::string_view endpoint) override;
  void pinned(const PinInfo& pin) override;
  void unpinned(std::string_view service, std::string_view endpoint) override;
  void reporter_named(std::string_view name, uint32_t now) override;
  void sample_taken(const schedule::Sample& sample) override;
  void closed(uint32_t second) override;
  void skipped_to(uint32_t second) override;

 private:
  template <class Fields>
  void op(uint8_t kind, const Fields& fields);
  bool samples_;
  std::string bytes_;
};

// Applies them in order; gives how many. `corrupt` where the bytes are not ops, or a second is
// closed that is not next: the fleets have parted. An op that was refused there is refused here.
Result<uint64_t> apply_ops(std::string_view ops, Fleet& fleet);

// How many bytes of whole ops `bytes` begins with.
size_t whole_ops(std::string_view bytes);

// Several observers as one.
class Observers final : public Observer {
 public:
  void add(Observer* observer) { all_.push_back(observer); }
  void service_put(const ServiceSpec& spec, bool declared) override {
    for (Observer* o : all_) o->service_put(spec, declared);
  }
  void service_removed(std::string_view service) override {
    for (Observer* o : all_) o->service_removed(service);
  }
  void endpoint_put(std::string_view service, const EndpointSpec& spec) override {
    for (Observer* o : all_) o->endpoint_put(service, spec);
  }
  void endpoint_removed(std::string_view service, std::string_view endpoint) override {
    for (Observer* o : all_) o->endpoint_removed(service, endpoint);
  }
  void preheated(std::string_view service, std::string_view endpoint) override {
    for (Observer* o : all_) o->preheated(service, endpoint);
  }
  void pinned(const PinInfo& pin) override {
    for (Observer* o : all_) o->pinned(pin);
  }
  void unpinned(std::string_view service, std::string_view endpoint) override {
    for (Observer* o : all_) o->unpinned(service, endpoint);
  }
  void reporter_named(std::string_view name, uint32_t now) override {
    for (Observer* o : all_) o->reporter_named(name, now);
  }
  void sample_taken(const schedule::Sample& sample) override {
    for (Observer* o : all_) o->sample_taken(sample);
  }
  void closed(uint32_t second) override {
    for (Observer* o : all_) o->closed(second);
  }
  void skipped_to(uint32_t second) override {
    for (Observer* o : all_) o->skipped_to(second);
  }

 private:
  std::vector<Observer*> all_;
};

}  // namespace weir::fleet
