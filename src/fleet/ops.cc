#include "fleet/ops.h"

#include <cstring>

#include "fleet/bytes.h"

namespace weir::fleet {
namespace {

enum Kind : uint8_t {
  kServicePut = 1,
  kServiceRemoved,
  kEndpointPut,
  kEndpointRemoved,
  kPreheated,
  kPinned,
  kUnpinned,
  kReporterNamed,
  kSample,
  kClosed,
  kSkipped,
};

Result<void> corrupt() {
  return fail(ErrorCode::corrupt, "these are no changes that a fleet of this version made");
}

// False where the fields do not fit. What the fleet itself refuses was refused before, too.
Result<void> apply(uint8_t kind, std::string_view fields, Fleet& fleet) {
  Taker in(fields);
  switch (kind) {
    case kServicePut: {
      ServiceSpec spec;
      spec.name = in.text();
      spec.dry_run = in.number<bool>();
      const auto detector = in.number<uint8_t>();
      const bool declared = in.number<bool>();
      if (!in.ok() || detector > static_cast<uint8_t>(schedule::Detector::consecutive_errors))
        return corrupt();
      spec.detector = static_cast<schedule::Detector>(detector);
      (void)fleet.put_service(spec, declared);
      return {};
    }
    case kServiceRemoved:
      (void)fleet.remove_service(in.text());
      break;
    case kEndpointPut: {
      const std::string_view service = in.text();
      EndpointSpec spec;
      spec.info.name = in.text();
      spec.info.address = in.text();
      spec.info.port = in.number<uint16_t>();
      spec.info.version = in.text();
      spec.info.zone = in.text();
      spec.info.hardware = in.text();
      spec.info.host = in.text();
      spec.weight = in.number<uint32_t>();
      spec.cold = in.number<bool>();
      spec.preheat = in.number<bool>();
      spec.start = in.text();
      spec.declared = in.number<bool>();
      if (in.ok()) (void)fleet.put_endpoint(service, spec);
      break;
    }
    case kEndpointRemoved: {
      const std::string_view service = in.text();
      (void)fleet.remove_endpoint(service, in.text());
      break;
    }
    case kPreheated: {
      const std::string_view service = in.text();
      (void)fleet.preheated(service, in.text());
      break;
    }
    case kPinned: {
      PinInfo pin;
      pin.service = in.text();
      pin.endpoint = in.text();
      pin.share = in.number<float>();
      pin.expiry = in.number<uint32_t>();
      pin.reason = in.text();
      if (in.ok()) (void)fleet.pin(pin);
      break;
    }
    case kUnpinned: {
      const std::string_view service = in.text();
      (void)fleet.unpin(service, in.text());
      break;
    }
    case kReporterNamed:
      (void)fleet.reporter(in.text());
      break;
    case kSample: {
      schedule::Sample sample;
      if (fields.size() != sizeof sample) return corrupt();
      std::memcpy(&sample, fields.data(), sizeof sample);
      (void)fleet.ingest(sample);
      return {};
    }
    case kClosed:
      if (in.number<uint32_t>() != fleet.next_second() || !in.ok()) return corrupt();
      fleet.close();
      break;
    case kSkipped:
      fleet.skip_to(in.number<uint32_t>());
      break;
    default:
      return corrupt();
  }
  if (!in.ok()) return corrupt();
  return {};
}

}  // namespace

template <class Fields>
void OpWriter::op(uint8_t kind, const Fields& fields) {
  put_number(bytes_, kind);
  const size_t at = bytes_.size();
  put_number(bytes_, uint32_t{0});
  fields(bytes_);
  const auto size = static_cast<uint32_t>(bytes_.size() - at - sizeof(uint32_t));
  std::memcpy(bytes_.data() + at, &size, sizeof size);
}

void OpWriter::service_put(const ServiceSpec& spec, bool declared) {
  op(kServicePut, [&](std::string& out) {
    put_text(out, spec.name);
    put_number(out, spec.dry_run);
    put_number(out, static_cast<uint8_t>(spec.detector));
    put_number(out, declared);
  });
}

void OpWriter::service_removed(std::string_view service) {
  op(kServiceRemoved, [&](std::string& out) { put_text(out, service); });
}

void OpWriter::endpoint_put(std::string_view service, const EndpointSpec& spec) {
  op(kEndpointPut, [&](std::string& out) {
    put_text(out, service);
    put_text(out, spec.info.name);
    put_text(out, spec.info.address);
    put_number(out, spec.info.port);
    put_text(out, spec.info.version);
    put_text(out, spec.info.zone);
    put_text(out, spec.info.hardware);
    put_text(out, spec.info.host);
    put_number(out, spec.weight);
    put_number(out, spec.cold);
    put_number(out, spec.preheat);
    put_text(out, spec.start);
    put_number(out, spec.declared);
  });
}

void OpWriter::endpoint_removed(std::string_view service, std::string_view endpoint) {
  op(kEndpointRemoved, [&](std::string& out) {
    put_text(out, service);
    put_text(out, endpoint);
  });
}

void OpWriter::preheated(std::string_view service, std::string_view endpoint) {
  op(kPreheated, [&](std::string& out) {
    put_text(out, service);
    put_text(out, endpoint);
  });
}

void OpWriter::pinned(const PinInfo& pin) {
  op(kPinned, [&](std::string& out) {
    put_text(out, pin.service);
    put_text(out, pin.endpoint);
    put_number(out, pin.share);
    put_number(out, pin.expiry);
    put_text(out, pin.reason);
  });
}

void OpWriter::unpinned(std::string_view service, std::string_view endpoint) {
  op(kUnpinned, [&](std::string& out) {
    put_text(out, service);
    put_text(out, endpoint);
  });
}

void OpWriter::reporter_named(std::string_view name, uint32_t) {
  if (samples_) op(kReporterNamed, [&](std::string& out) { put_text(out, name); });
}

void OpWriter::sample_taken(const schedule::Sample& sample) {
  if (!samples_) return;
  op(kSample,
     [&](std::string& out) { out.append(reinterpret_cast<const char*>(&sample), sizeof sample); });
}

void OpWriter::closed(uint32_t second) {
  if (samples_) op(kClosed, [&](std::string& out) { put_number(out, second); });
}

void OpWriter::skipped_to(uint32_t second) {
  if (samples_) op(kSkipped, [&](std::string& out) { put_number(out, second); });
}

size_t whole_ops(std::string_view bytes) {
  constexpr size_t kHead = 1 + sizeof(uint32_t);
  size_t at = 0;
  while (bytes.size() - at >= kHead) {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data() + at + 1, sizeof size);
    if (bytes.size() - at - kHead < size) break;
    at += kHead + size;
  }
  return at;
}

Result<uint64_t> apply_ops(std::string_view ops, Fleet& fleet) {
  Taker in(ops);
  uint64_t applied = 0;
  while (!in.empty()) {
    const auto kind = in.number<uint8_t>();
    const std::string_view fields = in.text();
    if (!in.ok()) return fail(ErrorCode::corrupt, "the last change is cut off");
    WEIR_CHECK_OK(apply(kind, fields, fleet));
    ++applied;
  }
  return applied;
}

}  // namespace weir::fleet
