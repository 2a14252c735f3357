#include "net/stream.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "net/buffer_pool.h"

namespace weir::net {
namespace {

constexpr size_t kTurnBudget = 256 * 1024;
// What an operation counts at least, so that a stream of tiny reads comes to its end as well.
constexpr size_t kOperationCost = 4 * 1024;

}  // namespace

Stream::Stream(Loop& loop) : loop_(loop), hangup_(*this) {}

Stream::~Stream() {
  const Error closed = ErrorCode::closed;
  wake(read_, &closed);
  wake(write_, &closed);
}

Stream::Hangup::Hangup(Stream& owner) : Wakeup(&run_hangup), stream(owner) {}

bool Stream::budget_left(const Side& side) const {
  return layer_ != nullptr || side.turn != loop_.turns() || side.taken < kTurnBudget;
}

void Stream::spend(Side& side, size_t bytes) {
  if (side.turn != loop_.turns()) {
    side.turn = loop_.turns();
    side.taken = 0;
  }
  side.taken += std::max(bytes, kOperationCost);
}

IoResult Stream::try_read(std::span<char> into) {
  WEIR_ASSERT(!into.empty());
  if (closed_) return IoResult::failed(ErrorCode::closed);
  if (read_.error) return IoResult::failed(*read_.error);
  if (!budget_left(read_)) return IoResult::blocked();
  IoResult result = do_read(into);
  switch (result.status) {
    case IoStatus::ok:
      spend(read_, result.bytes);
      bytes_read_ += result.bytes;
      break;
    case IoStatus::end:
      hangup_.seen = true;
      break;
    case IoStatus::failed:
      hangup_.seen = true;
      if (!read_.error) read_.error = result.error;
      break;
    case IoStatus::would_block:
      break;
  }
  return result;
}

IoResult Stream::try_write(std::span<const std::string_view> pieces) {
  if (closed_) return IoResult::failed(ErrorCode::closed);
  if (write_.error) return IoResult::failed(*write_.error);
  if (!budget_left(write_)) return IoResult::blocked();
  IoResult result = do_write(pieces);
  if (result.status == IoStatus::ok) {
    spend(write_, result.bytes);
    bytes_written_ += result.bytes;
  } else if (result.status == IoStatus::failed && !write_.error) {
    write_.error = result.error;
  }
  return result;
}

Stream::Wait::~Wait() {
  if (stream_ != nullptr && stream_->side(direction_).waiter == this) {
    stream_->side(direction_).waiter = nullptr;
  }
}

bool Stream::Wait::await_ready() const {
  const Side& side = stream_->side(direction_);
  if (stream_->closed_ || side.error) return true;
  return stream_->ready(direction_) && stream_->budget_left(side);
}

void Stream::Wait::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  if (stream_->ready(direction_)) {  // this turn's budget is spent: go on in the next
    std::exchange(stream_, nullptr)->loop_.wake(*this);
    return;
  }
  Side& side = stream_->side(direction_);
  WEIR_ASSERT(side.waiter == nullptr);
  side.waiter = this;
}

Result<void> Stream::Wait::await_resume() {
  if (stream_ != nullptr) {  // did not suspend
    if (stream_->closed_) return fail(ErrorCode::closed);
    if (const auto& error = stream_->side(direction_).error) return fail(*error);
  } else if (error_) {
    return fail(std::move(*error_));
  }
  return {};
}

bool Stream::ready(Wait::Direction direction) const {
  return direction == Wait::Direction::read ? read_ready() : write_ready() && unflushed() == 0;
}

void Stream::wake(Side& side, const Error* error) {
  if (side.waiter == nullptr) return;
  Wait& waiter = *std::exchange(side.waiter, nullptr);
  waiter.stream_ = nullptr;
  if (error != nullptr) waiter.error_ = *error;
  loop_.wake(waiter);
}

void Stream::notify_readable() {
  if (layer_ != nullptr) return layer_->on_lower_readable();
  wake(read_, nullptr);
}

void Stream::notify_writable() {
  if (layer_ != nullptr) return layer_->on_lower_writable();
  wake(write_, nullptr);
}

void Stream::notify_hangup() {
  hangup_.seen = true;
  if (layer_ != nullptr) return layer_->on_lower_hangup();
  if (read_.waiter != nullptr) {
    wake(read_, nullptr);
  } else if (hangup_.callback) {
    loop_.wake(hangup_);
  }
}

void Stream::on_hangup(std::function<void()> callback) {
  hangup_.unlink();
  hangup_.callback = std::move(callback);
  if (hangup_.callback && hangup_.seen && !closed_) loop_.wake(hangup_);
}

void Stream::run_hangup(Wakeup& node) {
  // Nothing of the stream is touched after the callback.
  const std::function<void()> callback = std::move(static_cast<Hangup&>(node).callback);
  if (callback) callback();
}

void Stream::cancel(Error error) {
  if (closed_) return;
  if (!write_.error) write_.error = error;
  wake(write_, &*write_.error);
  cancel_read(std::move(error));
}

void Stream::cancel_read(Error error) {
  if (closed_) return;
  if (!read_.error) read_.error = std::move(error);
  wake(read_, &*read_.error);
}

void Stream::shutdown_write() {
  if (closed_ || write_ended_) return;
  write_ended_ = true;
  do_shutdown_write();
  if (!write_.error) write_.error = Error(ErrorCode::closed);
}

void Stream::close() {
  let_go(false);
}

void Stream::abort() {
  let_go(true);
}

void Stream::let_go(bool aborted) {
  if (closed_) return;
  closed_ = true;
  if (aborted) {
    do_abort();
  } else {
    do_close();
  }
  hangup_.unlink();
  const Error error = ErrorCode::closed;
  wake(read_, &error);
  wake(write_, &error);
}

Task<Result<size_t>> Stream::read(std::span<char> into) {
  while (true) {
    IoResult result = try_read(into);
    switch (result.status) {
      case IoStatus::ok:
        co_return result.bytes;
      case IoStatus::end:
        co_return 0;
      case IoStatus::failed:
        co_return fail(std::move(result.error));
      case IoStatus::would_block:
        break;
    }
    // After an error the stream may be gone.
    if (auto ready = co_await readable(); !ready) co_return fail(std::move(ready).error());
  }
}

Task<Result<void>> Stream::write_all(std::span<const std::string_view> pieces) {
  constexpr size_t kBatch = 16;
  size_t offset = 0;  // into the first piece
  while (true) {
    while (!pieces.empty() && offset >= pieces.front().size()) {
      offset -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
    if (pieces.empty()) break;
    std::array<std::string_view, kBatch> batch;
    const size_t count = std::min(kBatch, pieces.size());
    std::copy_n(pieces.begin(), count, batch.begin());
    batch[0].remove_prefix(offset);
    IoResult result = try_write(std::span<const std::string_view>(batch.data(), count));
    if (result.status == IoStatus::ok) {
      offset += result.bytes;
    } else if (result.status == IoStatus::failed) {
      co_return fail(std::move(result.error));
    } else if (auto ready = co_await writable(); !ready) {
      co_return fail(std::move(ready).error());
    }
  }
  while (unflushed() > 0) {
    if (auto ready = co_await writable(); !ready) co_return fail(std::move(ready).error());
  }
  co_return Result<void>();
}

Task<Result<void>> Stream::write_all(std::string_view piece) {
  while (!piece.empty() || unflushed() > 0) {
    IoResult result = piece.empty() ? IoResult::blocked() : try_write(piece);
    if (result.status == IoStatus::ok) {
      piece.remove_prefix(result.bytes);
    } else if (result.status == IoStatus::failed) {
      co_return fail(std::move(result.error));
    } else if (auto ready = co_await writable(); !ready) {
      co_return fail(std::move(ready).error());
    }
  }
  co_return Result<void>();
}

Task<void> close_gracefully(std::unique_ptr<Stream> stream, Nanoseconds limit) {
  constexpr size_t kDropMax = 1024 * 1024;
  Timer timer(stream->loop(), [&stream] { stream->cancel(ErrorCode::timeout); });
  timer.arm(limit);
  while (stream->unflushed() > 0) {
    if (!co_await stream->writable()) break;
  }
  stream->shutdown_write();
  size_t dropped = 0;
  while (dropped < kDropMax && co_await stream->readable()) {
    Buffer buffer = stream->loop().buffers().take();
    const IoResult result = stream->try_read(buffer.span());
    if (result.status == IoStatus::end || result.status == IoStatus::failed) break;
    dropped += result.bytes;
  }
  stream->close();
}

}  // namespace weir::net
