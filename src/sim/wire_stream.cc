#include "sim/wire_stream.h"

#include <fmt/format.h>

namespace weir::sim {

std::unique_ptr<net::Stream> Wires::wrap(std::unique_ptr<net::Stream> stream) {
  return std::make_unique<WireStream>(*this, fmt::format("wire:{}", next_++), std::move(stream));
}

WireStream* Wires::find(std::string_view name) const {
  const auto found = streams_.find(std::string(name));
  return found == streams_.end() ? nullptr : found->second;
}

WireStream::WireStream(Wires& wires, std::string name, std::unique_ptr<net::Stream> lower)
    : Stream(lower->loop()), wires_(wires), name_(std::move(name)), lower_(std::move(lower)) {
  set_addresses(lower_->local_address(), name_);
  wires_.streams_.emplace(name_, this);
  lower_->set_layer(this);
}

WireStream::~WireStream() {
  close();
  wires_.streams_.erase(name_);
}

void WireStream::do_close() {
  if (reset_on_close_) {
    lower_->abort();
  } else {
    lower_->close();
  }
}

}  // namespace weir::sim
