// The tables of who may ask for what, and of who is told; see tables.cc.
#include <array>

#include "app/config/codec.h"
#include "app/config/schema.h"
#include "ledger/priority.h"

namespace weir::app {

template <>
struct Choices<ledger::Priority> {
  static constexpr std::array kValues{ledger::Priority::high, ledger::Priority::normal,
                                      ledger::Priority::low};
};

namespace {

constexpr Rule kRequiredName{.required = true, .as = FieldKind::name};
constexpr Rule kName{.as = FieldKind::name};
constexpr Rule kLimit{.min = 1, .max = 1'000'000'000'000, .unset = "unlimited"};
constexpr Rule kAtOnce{.min = 1, .max = 10'000'000, .unset = "unlimited"};

}  // namespace

template <>
const ObjectSpec& spec_of<RateLimits>() {
  static const ObjectSpec spec =
      Table<RateLimits>("Limits", "Rates and requests at once; what is absent is not limited.")
          .field("rpm", &RateLimits::rpm, "Requests per minute.", kLimit)
          .field("tpm", &RateLimits::tpm, "Tokens per minute, input and output together.", kLimit)
          .field("concurrency", &RateLimits::concurrency, "Requests at the same time.", kAtOnce)
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<ModelLimits>() {
  static const ObjectSpec spec =
      Table<ModelLimits>("Model limits", "Limits of one model; what is absent is not limited.")
          .field("model", &ModelLimits::model,
                 "The model; `gpt-*` means all whose names begin so, together.", {.required = true})
          .field("rpm", &ModelLimits::rpm, "Requests per minute.", kLimit)
          .field("tpm", &ModelLimits::tpm, "Tokens per minute, input and output together.", kLimit)
          .field("concurrency", &ModelLimits::concurrency, "Requests at the same time.", kAtOnce)
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Organization>() {
  static const ObjectSpec spec =
      Table<Organization>("Organization", "Everybody: all keys together.")
          .field("name", &Organization::name, "How exports call it.", kName)
          .field("limits", &Organization::limits, "What all keys may ask for together.")
          .field("model_limits", &Organization::model_limits,
                 "What all keys may ask for together of single models. Of several that fit a model "
                 "the first holds.")
          .field("user_limits", &Organization::user_limits,
                 "What each end user of all keys together may ask for: whom a request names by "
                 "`user`, "
                 "`metadata.user_id` or the header `x-weir-user`. Requests that name none share "
                 "one.")
          .field("budget", &Organization::budget, "What all keys may spend together.",
                 {.unset = "unlimited"})
          .field("budgets", &Organization::budgets, "Several budgets, which all hold.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Team>() {
  static const ObjectSpec spec =
      Table<Team>("Team", "Keys that share limits and budgets.")
          .field("name", &Team::name, "How keys and projects refer to it.", kRequiredName)
          .field("limits", &Team::limits, "What all its keys may ask for together.")
          .field("model_limits", &Team::model_limits,
                 "What all its keys may ask for together of single models. Of several that fit a "
                 "model the first holds.")
          .field("user_limits", &Team::user_limits,
                 "What each end user of its keys may ask for: whom a request names by `user`, "
                 "`metadata.user_id` or the header `x-weir-user`. Requests that name none share "
                 "one.")
          .field("priority", &Team::priority,
                 "Whose requests go first while an account or a model is full.",
                 {.unset = "`normal`"})
          .field("budget", &Team::budget, "What all its keys may spend together.",
                 {.unset = "unlimited"})
          .field("budgets", &Team::budgets, "Several budgets, which all hold.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Project>() {
  static const ObjectSpec spec =
      Table<Project>("Project", "Keys of one team that share limits and budgets of their own.")
          .field("name", &Project::name, "How keys refer to it.", kRequiredName)
          .field("team", &Project::team, "Team that it belongs to.", kName)
          .field("limits", &Project::limits, "What all its keys may ask for together.")
          .field("model_limits", &Project::model_limits,
                 "What all its keys may ask for together of single models. Of several that fit a "
                 "model the first holds.")
          .field("user_limits", &Project::user_limits,
                 "What each end user of its keys may ask for: whom a request names by `user`, "
                 "`metadata.user_id` or the header `x-weir-user`. Requests that name none share "
                 "one.")
          .field("priority", &Project::priority,
                 "Whose requests go first while an account or a model is full.",
                 {.unset = "its team's"})
          .field("budget", &Project::budget, "What all its keys may spend together.",
                 {.unset = "unlimited"})
          .field("budgets", &Project::budgets, "Several budgets, which all hold.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Key>() {
  static const ObjectSpec spec =
      Table<Key>("Key", "A virtual key: what a client holds. Only a keyed hash of it is stored.")
          .field("name", &Key::name, "How it appears in logs, metrics and the console.",
                 kRequiredName)
          .field("key", &Key::key, "The secret itself; at least 16 characters.", {.required = true})
          .field("team", &Key::team, "Team whose limits and budgets it shares.", kName)
          .field("project", &Key::project, "Project whose limits and budgets it shares.", kName)
          .field("models", &Key::models,
                 "Models it may use; `gpt-*` means every model that begins so.",
                 {.unset = "every model"})
          .field("limits", &Key::limits, "What its holder may ask for.")
          .field("model_limits", &Key::model_limits,
                 "What its holder may ask for of single models. Of several that fit a model the "
                 "first holds.")
          .field("user_limits", &Key::user_limits,
                 "What each end user of its holder may ask for: whom a request names by `user`, "
                 "`metadata.user_id` or the header `x-weir-user`. Requests that name none share "
                 "one.")
          .field("priority", &Key::priority,
                 "Whose requests go first while an account or a model is full. A request may lower "
                 "it by the header `x-weir-priority`.",
                 {.unset = "its project's, else its team's"})
          .field("budget", &Key::budget, "What its holder may spend.", {.unset = "unlimited"})
          .field("budgets", &Key::budgets, "Several budgets, which all hold.")
          .field("capture", &Key::capture, "Keep the messages of its requests.",
                 {.of_default = "capture.enabled"})
          .field("expires", &Key::expires, "From when on it is refused.", {.unset = "never"})
          .field("addresses", &Key::addresses,
                 "From where it may be used: addresses and blocks such as `192.0.2.0/24`. Behind a "
                 "proxy see `server.trusted_proxies`.",
                 {.unset = "anywhere"})
          .field(
              "endpoints", &Key::endpoints,
              "For which kinds of request: `generate`, `complete`, `respond`, `embed`, `rerank`, "
              "`count_tokens`, `passthrough` (everything else).",
              {.unset = "all"})
          .field("tags", &Key::tags, "Labels on its rows in the ledger.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Queue>() {
  static const ObjectSpec spec =
      Table<Queue>("Queue",
                   "Where requests wait while every account that could serve them, or the model's "
                   "own limit, is full: by priority, then in the order in which they came.")
          .field("size", &Queue::size,
                 "How many wait at most, in each worker; 0: none, they are refused at once. A "
                 "request that finds it full takes the place of a less important one.",
                 {.max = 65'536})
          .field("wait", &Queue::wait, "How long they wait at most, then they are refused.",
                 {.min = 1, .max = 600'000})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Anomalies>() {
  static const ObjectSpec spec =
      Table<Anomalies>("Anomalies",
                       "Each hour is laid beside the same hour of earlier weeks, by key and model.")
          .field("enabled", &Anomalies::enabled, "Look for them.")
          .field("floor", &Anomalies::floor,
                 "US dollars that an hour must have cost, above what is usual, to be told of.",
                 {.min = 1})
          .field("loop_requests", &Anomalies::loop_requests,
                 "How often one key must send requests of one size to one model within ten "
                 "minutes, half of them failing, to be called a loop.",
                 {.min = 10, .max = 1'000'000})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Alerts>() {
  static const ObjectSpec spec =
      Table<Alerts>("Alerts",
                    "Who is told when 50, 80 and 100 % of a budget are spent, and when spending "
                    "is not as it was.")
          .field("webhook", &Alerts::webhook,
                 "Told once per budget, window and threshold, and once per anomaly.",
                 {.unset = "nobody"})
          .field("anomalies", &Alerts::anomalies, "Spending that is not as it was.")
          .done();
  return spec;
}

}  // namespace weir::app
