#include "net/memory_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace weir::net {

// One direction. Each end clears its pointer when it goes.
struct MemoryStream::Pipe {
  std::string bytes;
  size_t taken = 0;  // of bytes, already read
  size_t capacity = 0;
  bool ended = false;   // the writer has ended its side
  bool broken = false;  // the reader is gone: writes fail
  bool reset = false;
  MemoryStream* reader = nullptr;
  MemoryStream* writer = nullptr;

  size_t pending() const { return bytes.size() - taken; }
};

MemoryStream::MemoryStream(Loop& loop, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out,
                           const MemoryOptions& options)
    : Stream(loop),
      in_(std::move(in)),
      out_(std::move(out)),
      read_chunk_(options.read_chunk),
      again_(*this) {}

MemoryStream::~MemoryStream() {
  close();
}

std::pair<std::unique_ptr<MemoryStream>, std::unique_ptr<MemoryStream>> memory_pair(
    Loop& loop, const MemoryOptions& options) {
  auto forth = std::make_shared<MemoryStream::Pipe>();
  auto back = std::make_shared<MemoryStream::Pipe>();
  forth->capacity = back->capacity = options.capacity;
  std::unique_ptr<MemoryStream> a(new MemoryStream(loop, back, forth, options));
  std::unique_ptr<MemoryStream> b(new MemoryStream(loop, forth, back, options));
  forth->writer = back->reader = a.get();
  forth->reader = back->writer = b.get();
  a->set_addresses(options.name_a, options.name_b);
  b->set_addresses(options.name_b, options.name_a);
  return {std::move(a), std::move(b)};
}

size_t MemoryStream::pending() const {
  return in_->pending();
}

bool MemoryStream::read_ready() const {
  if (in_->reset) return true;
  return !stalled_ && !resting_ && (in_->pending() > 0 || in_->ended);
}

bool MemoryStream::write_ready() const {
  return out_->reset || out_->broken || out_->pending() < out_->capacity;
}

IoResult MemoryStream::do_read(std::span<char> into) {
  if (in_->reset) {
    return IoResult::failed(
        {ErrorCode::connection_reset, fmt::format("read from {}: reset", peer_address())});
  }
  if (!read_ready()) return IoResult::blocked();
  if (in_->pending() == 0) return IoResult::end();
  size_t count = std::min(into.size(), in_->pending());
  if (read_chunk_ > 0) {
    count = std::min(count, read_chunk_);
    resting_ = true;
    loop().wake(again_);
  }
  std::memcpy(into.data(), in_->bytes.data() + in_->taken, count);
  in_->taken += count;
  if (in_->taken == in_->bytes.size() || in_->taken >= in_->capacity) {
    in_->bytes.erase(0, std::exchange(in_->taken, 0));
  }
  if (in_->writer != nullptr) in_->writer->notify_writable();
  return IoResult::ok(count);
}

void MemoryStream::run_again(Wakeup& node) {
  MemoryStream& stream = static_cast<Again&>(node).stream;
  stream.resting_ = false;
  if (stream.read_ready()) stream.notify_readable();
}

IoResult MemoryStream::do_write(std::span<const std::string_view> pieces) {
  if (out_->reset || out_->broken) {
    return IoResult::failed(
        {ErrorCode::connection_reset, fmt::format("write to {}: reset", peer_address())});
  }
  size_t written = 0;
  size_t wanted = 0;
  for (std::string_view piece : pieces) {
    wanted += piece.size();
    piece = piece.substr(0, out_->capacity - std::min(out_->capacity, out_->pending()));
    out_->bytes.append(piece);
    written += piece.size();
  }
  if (written == 0 && wanted > 0) return IoResult::blocked();
  if (out_->reader != nullptr && out_->reader->read_ready()) out_->reader->notify_readable();
  return IoResult::ok(written);
}

void MemoryStream::do_shutdown_write() {
  out_->ended = true;
  MemoryStream* peer = out_->reader;
  if (peer == nullptr || peer->stalled_) return;
  peer->notify_hangup();
  peer->notify_readable();
}

void MemoryStream::do_close() {
  again_.unlink();
  out_->writer = nullptr;
  in_->reader = nullptr;
  in_->broken = true;
  if (in_->writer != nullptr) in_->writer->notify_writable();
  if (!out_->ended) do_shutdown_write();
}

void MemoryStream::stall_reading() {
  stalled_ = true;
}

void MemoryStream::resume_reading() {
  if (!std::exchange(stalled_, false)) return;
  if (in_->ended) notify_hangup();
  if (read_ready()) notify_readable();
}

void MemoryStream::set_read_chunk(size_t bytes) {
  read_chunk_ = bytes;
}

void MemoryStream::do_abort() {
  reset();
  do_close();
}

void MemoryStream::reset() {
  for (Pipe* pipe : {in_.get(), out_.get()}) {
    pipe->reset = true;
    pipe->bytes.clear();
    pipe->taken = 0;
    if (pipe->reader != nullptr) {
      pipe->reader->notify_hangup();
      pipe->reader->notify_readable();
    }
    if (pipe->writer != nullptr) pipe->writer->notify_writable();
  }
}

namespace {

std::string key_of(const std::string& host, uint16_t port) {
  return fmt::format("{}:{}", host, port);
}

}  // namespace

void MemoryNetwork::listen(const std::string& host, uint16_t port, OnAccept on_accept) {
  services_[key_of(host, port)] = {std::move(on_accept), std::nullopt, false};
}

void MemoryNetwork::refuse(const std::string& host, uint16_t port, Error error) {
  services_[key_of(host, port)] = {{}, std::move(error), false};
}

void MemoryNetwork::black_hole(const std::string& host, uint16_t port) {
  services_[key_of(host, port)] = {{}, std::nullopt, true};
}

Task<Result<std::unique_ptr<Stream>>> MemoryNetwork::dial(Origin origin, Deadline deadline) {
  dials_.push_back(origin);
  const std::string key = key_of(origin.host, origin.port);
  co_await sleep(loop_, Nanoseconds(0));  // as a real one, it never succeeds at once
  const auto found = services_.find(key);
  if (found == services_.end()) {
    co_return fail(ErrorCode::dns_failure, fmt::format("no such host: {}", key));
  }
  if (found->second.hang) {
    co_await sleep_until(loop_, deadline);
    co_return fail(ErrorCode::timeout, fmt::format("connect to {}: no answer in time", key));
  }
  if (found->second.error) co_return fail(*found->second.error);
  MemoryOptions options = options_;
  options.name_a = fmt::format("memory:client-{}", dials_.size());
  options.name_b = "memory:" + key;
  auto [client, server] = memory_pair(loop_, options);
  const OnAccept on_accept = found->second.on_accept;
  on_accept(std::move(server));
  co_return std::unique_ptr<Stream>(std::move(client));
}

}  // namespace weir::net
