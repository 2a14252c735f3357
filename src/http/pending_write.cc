#include "http/pending_write.h"

#include <span>

namespace weir::http {

PendingWrite::State PendingWrite::push(net::Stream& stream) {
  while (at_ < pieces_.size()) {
    net::IoResult io = stream.try_write(std::span(pieces_).subspan(at_));
    switch (io.status) {
      case net::IoStatus::ok:
        break;
      case net::IoStatus::would_block:
        return State::blocked;
      case net::IoStatus::end:
      case net::IoStatus::failed:
        error_ = io.status == net::IoStatus::end ? Error(ErrorCode::closed) : std::move(io.error);
        clear();
        return State::failed;
    }
    size_t taken = io.bytes;
    while (at_ < pieces_.size() && taken >= pieces_[at_].size()) taken -= pieces_[at_++].size();
    if (taken > 0) pieces_[at_].remove_prefix(taken);
  }
  clear();
  return stream.unflushed() == 0 ? State::done : State::blocked;
}

}  // namespace weir::http
