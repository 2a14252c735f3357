// The tables of what moves traffic between the deployments of a model; the others are in tables.cc.

#include "app/config/codec.h"
#include "app/config/detectors.h"
#include "app/config/schema.h"

namespace weir::app {

namespace {

constexpr int64_t kHour = 3'600'000;

}  // namespace

template <>
const ObjectSpec& spec_of<Schedule>() {
  static const ObjectSpec spec =
      Table<Schedule>("Schedule", "What moves the weights of a model's deployments.")
          .field("detector", &Schedule::detector,
                 "What finds a sick deployment. All are computed; this one acts.")
          .field("dry_run", &Schedule::dry_run,
                 "Weights are computed and told, and the configured ones are used.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Affinity>() {
  static const ObjectSpec spec =
      Table<Affinity>("Affinity",
                      "What sends a request where an earlier one like it went, for the provider's "
                      "prompt cache. The first of these that the request has decides.")
          .field("header", &Affinity::header, "A header of the client that names its session.",
                 {.unset = "none"})
          .field("prompt_cache_key", &Affinity::prompt_cache_key,
                 "The request's `prompt_cache_key`.")
          .field("user", &Affinity::user, "The request's `user` or `metadata.user_id`.")
          .field("prefix", &Affinity::prefix,
                 "The first 4 KiB of instructions, tools and messages; a shorter prompt is in no "
                 "provider's cache.")
          .field("slack", &Affinity::slack,
                 "How much more than its share of the load a deployment may have until another "
                 "one is taken.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Hedge>() {
  static const ObjectSpec spec =
      Table<Hedge>("Hedge",
                   "A second attempt beside one that takes long to begin; the first to begin is "
                   "relayed, the other cancelled. Only for calls that change nothing. What is "
                   "cancelled is billed by the provider.")
          .field("after", &Hedge::after, "How long the first is waited for.",
                 {.min = 10, .max = kHour, .unset = "the learned 95th percentile"})
          .field("budget", &Hedge::budget, "Most second attempts as a share of requests.")
          .done();
  return spec;
}

}  // namespace weir::app
