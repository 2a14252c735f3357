#include "gateway/queue.h"

#include <algorithm>

#include "gateway/stages.h"

namespace weir::gateway {

using ledger::Priority;

WaitQueue::WaitQueue(net::Loop& loop) : loop_(loop), timer_(loop, [this] { look(); }) {}

// The first in line of each model, in order: the loop runs them in that order, too. Who finds room
// leaves, and the next one of its model looks.
void WaitQueue::look() {
  const Nanoseconds now = loop_.now();
  std::vector<uint32_t> models;
  std::vector<Place*> expired;
  for (const auto& [order, place] : places_) {
    if (place->until_ <= now) {
      expired.push_back(place);
    } else if (std::find(models.begin(), models.end(), place->model_) == models.end()) {
      models.push_back(place->model_);
      place->event_.set();
    }
  }
  for (Place* place : expired) place->leave(Turn::expired);
  arm();
}

void WaitQueue::arm() {
  if (places_.empty()) {
    timer_.cancel();
  } else if (!timer_.armed()) {
    timer_.arm(kLook);
  }
}

WaitQueue::Place::Place(WaitQueue& queue, size_t size_max, Priority priority, uint32_t model,
                        Nanoseconds until)
    : queue_(queue),
      priority_(priority),
      model_(model),
      since_(queue.loop_.now()),
      until_(until),
      event_(queue.loop_) {
  if (size_max == 0) return;
  if (queue_.places_.size() >= size_max) {
    Place* const last = std::prev(queue_.places_.end())->second;
    if (last->priority_ <= priority_) return;
    last->leave(Turn::pushed_out);
  }
  number_ = queue_.next_++;
  queue_.places_.emplace(Order{priority_, number_}, this);
  queued_ = true;
  QueueCounters& counters = queue_.of(priority_);
  ++counters.waits;
  ++counters.waiting;
  queue_.arm();
}

void WaitQueue::Place::stand_at(ledger::Gate& gate) {
  if (!queued_ || std::find(gates_.begin(), gates_.end(), &gate) != gates_.end()) return;
  gate.join(priority_);
  gates_.push_back(&gate);
}

net::Task<WaitQueue::Turn> WaitQueue::Place::turn() {
  if (queued_) {
    event_.reset();
    co_await event_.wait();
  }
  co_return queued_ ? Turn::look : end_;
}

void WaitQueue::Place::took() {
  if (!queued_) return;
  leave(Turn::look);
  queue_.nudge();
}

void WaitQueue::Place::leave(Turn how) {
  if (!queued_) return;
  queued_ = false;
  end_ = how;
  queue_.places_.erase(Order{priority_, number_});
  for (ledger::Gate* gate : gates_) gate->leave(priority_);
  QueueCounters& counters = queue_.of(priority_);
  --counters.waiting;
  counters.waited_us += static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(queue_.loop_.now() - since_).count());
  switch (how) {
    case Turn::look:
      ++counters.served;
      break;
    case Turn::expired:
      ++counters.expired;
      break;
    case Turn::pushed_out:
      ++counters.pushed_out;
      break;
    case Turn::gone:
      ++counters.left;
      break;
  }
  event_.set();
}

Priority priority_of(const Exchange& x) {
  const Priority most = x.principal == nullptr ? Priority::normal : x.principal->priority;
  const auto asked = x.client.head().headers.find("x-weir-priority");
  if (!asked) return most;
  return std::max(most, ledger::priority_of(*asked).value_or(most));
}

bool goes_behind(const Exchange& x, const ledger::Gate& gate) {
  if (gate.nobody() || x.probe) return false;
  return gate.closed_to(priority_of(x), x.place == nullptr);
}

namespace {

// Until when a request waits, in all of its waits together.
Nanoseconds wait_end(Exchange& x) {
  if (x.wait_until == Nanoseconds{0}) {
    x.wait_until = std::min<Nanoseconds>(x.now() + x.snapshot->queue.wait,
                                         x.started + x.asked->timeouts.total);
  }
  return x.wait_until;
}

std::unique_ptr<WaitQueue::Place> take_place(Exchange& x) {
  const size_t size_max = x.worker.draining ? 0 : x.snapshot->queue.size;
  const Priority priority = priority_of(x);
  const Nanoseconds until = wait_end(x);
  if (until <= x.now()) return nullptr;
  auto place =
      std::make_unique<WaitQueue::Place>(x.worker.queue, size_max, priority, x.asked->slot, until);
  if (place->has()) return place;
  x.worker.queue.count_refused(priority);
  return nullptr;
}

// Whatever could serve it: there the less important ones stay back.
void stand_at_accounts(const Exchange& x, WaitQueue::Place& place) {
  const auto stand_at = [&](const Model& model) {
    for (const auto& deployment : model.pool.deployments()) {
      if (could_serve(x, *deployment)) place.stand_at(deployment->account->state->gate);
    }
  };
  stand_at(*x.asked);
  for (const std::string& name : x.asked->fallbacks) {
    const Model* model = x.snapshot->find_model(name);
    if (model != nullptr && x.principal->may_use(name)) stand_at(*model);
  }
}

// True once it is admitted. It has left the queue when this ends.
net::Task<bool> wait_in_line(Exchange& x, WaitQueue::Place& place) {
  while (co_await place.turn() == WaitQueue::Turn::look) {
    if (admit(x)) {
      place.took();
      co_return true;
    }
    // Refused for a limit of its own, which was counted.
    if (!x.model_full) co_return false;
  }
  if (!x.client_gone) ++x.worker.counters.refused_limits;
  co_return false;
}

}  // namespace

net::Task<bool> wait_for_model(Exchange& x) {
  if (!x.model_full) co_return false;
  const std::unique_ptr<WaitQueue::Place> place = take_place(x);
  if (place == nullptr) {
    ++x.worker.counters.refused_limits;
    co_return false;
  }
  place->stand_at(x.asked->limits->gate);
  x.place = place.get();
  x.client.on_client_gone([&x] {
    x.client_gone = true;
    x.place->cancel();
  });
  const bool admitted = co_await wait_in_line(x, *place);
  x.client.on_client_gone({});
  x.place = nullptr;
  co_return admitted;
}

net::Task<bool> wait_for_account(Exchange& x, std::unique_ptr<WaitQueue::Place>& place) {
  // What is pinned can be served by one account alone: it would keep others from the rest.
  if (x.error || x.pinned != nullptr || x.probe || !accounts_are_full(x)) co_return false;
  if (place == nullptr || !place->has()) {
    place = take_place(x);
    x.place = place.get();
    if (place == nullptr) co_return false;
    stand_at_accounts(x, *place);
  }
  x.serving = x.asked;
  if (co_await place->turn() == WaitQueue::Turn::look) co_return true;
  x.place = nullptr;
  if (!x.client_gone) refuse_full_accounts(x);
  co_return false;
}

}  // namespace weir::gateway
