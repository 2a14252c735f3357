#include "ledger/log_schema.h"

#include <fmt/format.h>

#include "ledger/tally.h"

namespace weir::ledger {

namespace {

constexpr const char* kRollupTable =
    "CREATE TABLE rollup("
    "hour INTEGER NOT NULL, key_id TEXT NOT NULL, team TEXT NOT NULL, model TEXT NOT NULL, "
    "deployment TEXT NOT NULL, provider TEXT NOT NULL, status_class INTEGER NOT NULL, "
    "requests INTEGER NOT NULL, errors INTEGER NOT NULL, aborted INTEGER NOT NULL, "
    "denied INTEGER NOT NULL, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL, "
    "input_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL, "
    "cache_write_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, "
    "reasoning_tokens INTEGER NOT NULL, cost_nano INTEGER NOT NULL, total_us INTEGER NOT NULL, "
    "ttft_us INTEGER NOT NULL, ttft_count INTEGER NOT NULL, "
    "PRIMARY KEY(hour, key_id, team, model, deployment, provider, status_class)) WITHOUT ROWID";

constexpr const char* kRequestTable =
    "CREATE TABLE request("
    "id INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, key_id TEXT NOT NULL, "
    "team TEXT NOT NULL, user TEXT NOT NULL, tags TEXT NOT NULL, dialect TEXT NOT NULL, "
    "endpoint TEXT NOT NULL, model_asked TEXT NOT NULL, model TEXT NOT NULL, "
    "deployment TEXT NOT NULL, account TEXT NOT NULL, provider TEXT NOT NULL, "
    "provider_model TEXT NOT NULL, attempts INTEGER NOT NULL, attempts_text TEXT NOT NULL, "
    "status INTEGER NOT NULL, outcome INTEGER NOT NULL, error_code TEXT NOT NULL, "
    "streamed INTEGER NOT NULL, total_us INTEGER NOT NULL, ttft_us INTEGER NOT NULL, "
    "upstream_us INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL, "
    "cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, "
    "input_audio INTEGER NOT NULL, input_image INTEGER NOT NULL, output INTEGER NOT NULL, "
    "output_audio INTEGER NOT NULL, output_image INTEGER NOT NULL, reasoning INTEGER NOT NULL, "
    "tool_calls INTEGER NOT NULL, tier TEXT NOT NULL, usage_reported INTEGER NOT NULL, "
    "cost_nano INTEGER NOT NULL, price_row TEXT NOT NULL, cost_state INTEGER NOT NULL, "
    "config_generation INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, "
    "captured INTEGER NOT NULL);"
    "CREATE INDEX request_key ON request(key_id);"
    "CREATE INDEX request_not_ok ON request(outcome) WHERE outcome <> 0";

// Who pays in between, what a price was at that time, and corrections: rows that change the cost of
// an earlier one.
constexpr const char* kRequestMore =
    "ALTER TABLE request ADD COLUMN project TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE request ADD COLUMN rates TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE request ADD COLUMN list_nano INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE request ADD COLUMN corrects INTEGER NOT NULL DEFAULT 0;"
    "UPDATE request SET list_nano=cost_nano";

// By what a row was corrected.
constexpr const char* kCorrections =
    "CREATE INDEX request_corrects ON request(corrects) WHERE corrects<>0";

// The ids of rows that are in no sum yet, eight bytes each, by the batch that inserted them.
constexpr const char* kUntallied =
    "CREATE TABLE untallied(batch INTEGER PRIMARY KEY, ids BLOB NOT NULL)";

// A line of the rollup is for one project, too.
constexpr const char* kRollupWithProject =
    "ALTER TABLE rollup RENAME TO rollup_before;"
    "CREATE TABLE rollup("
    "hour INTEGER NOT NULL, key_id TEXT NOT NULL, team TEXT NOT NULL, project TEXT NOT NULL, "
    "model TEXT NOT NULL, deployment TEXT NOT NULL, provider TEXT NOT NULL, "
    "status_class INTEGER NOT NULL, "
    "requests INTEGER NOT NULL, errors INTEGER NOT NULL, aborted INTEGER NOT NULL, "
    "denied INTEGER NOT NULL, unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL, "
    "input_tokens INTEGER NOT NULL, cache_read_tokens INTEGER NOT NULL, "
    "cache_write_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, "
    "reasoning_tokens INTEGER NOT NULL, cost_nano INTEGER NOT NULL, total_us INTEGER NOT NULL, "
    "ttft_us INTEGER NOT NULL, ttft_count INTEGER NOT NULL, "
    "PRIMARY KEY(hour, key_id, team, project, model, deployment, provider, status_class)) "
    "WITHOUT ROWID;"
    "INSERT INTO rollup SELECT hour, key_id, team, '', model, deployment, provider, status_class, "
    "requests, errors, aborted, denied, unpriced, estimated, input_tokens, cache_read_tokens, "
    "cache_write_tokens, output_tokens, reasoning_tokens, cost_nano, total_us, ttft_us, "
    "ttft_count FROM rollup_before;"
    "DROP TABLE rollup_before";

constexpr const char* kRequestColumns =
    "id, start_ms, key_id, team, user, tags, dialect, endpoint, model_asked, model, deployment, "
    "account, provider, provider_model, attempts, attempts_text, status, outcome, error_code, "
    "streamed, total_us, ttft_us, upstream_us, input, cache_read, cache_write_5m, "
    "cache_write_1h, input_audio, input_image, output, output_audio, output_image, reasoning, "
    "tool_calls, tier, usage_reported, cost_nano, price_row, cost_state, config_generation, "
    "bytes_in, bytes_out, captured, project, rates, list_nano, corrects";

constexpr std::string_view kSumColumns[] = {
    "requests",           "errors",        "aborted",          "denied",
    "unpriced",           "estimated",     "input_tokens",     "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_nano",
    "total_us",           "ttft_us",       "ttft_count"};

std::string parameters(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += fmt::format("{}?{}", i == 1 ? "" : ",", i);
  return text;
}

// Reads columns one after the other, in the order of kRequestColumns.
class Reader {
 public:
  explicit Reader(const store::Statement& statement) : statement_(statement) {}
  int64_t number() { return statement_.column_int64(column_++); }
  bool flag() { return number() != 0; }
  std::string text() { return std::string(statement_.column_text(column_++)); }

 private:
  const store::Statement& statement_;
  int column_ = 0;
};

// Every column, in the order of kRequestColumns.
template <class Out, class Row>
void put_request(Out& out, const Row& row) {
  out.number(row.id.value());
  out.number(row.start_ms);
  out.text(row.key_id);
  out.text(row.team);
  out.text(row.user);
  out.text(row.tags);
  out.text(row.dialect);
  out.text(row.endpoint);
  out.text(row.model_asked);
  out.text(row.model);
  out.text(row.deployment);
  out.text(row.account);
  out.text(row.provider);
  out.text(row.provider_model);
  out.number(row.attempts);
  out.text(row.attempts_text);
  out.number(row.status);
  out.number(static_cast<int64_t>(row.outcome));
  out.text(row.error_code);
  out.number(row.streamed ? 1 : 0);
  out.number(row.total_us);
  out.number(row.ttft_us);
  out.number(row.upstream_us);
  out.number(row.usage.input);
  out.number(row.usage.cache_read);
  out.number(row.usage.cache_write_5m);
  out.number(row.usage.cache_write_1h);
  out.number(row.usage.input_audio);
  out.number(row.usage.input_image);
  out.number(row.usage.output);
  out.number(row.usage.output_audio);
  out.number(row.usage.output_image);
  out.number(row.usage.reasoning);
  out.number(row.usage.tool_calls);
  out.text(row.usage.service_tier);
  out.number(row.usage.reported ? 1 : 0);
  out.number(row.cost.nano());
  out.text(row.price_row);
  out.number(static_cast<int64_t>(row.cost_state));
  out.number(row.config_generation);
  out.number(row.bytes_in);
  out.number(row.bytes_out);
  out.number(row.captured ? 1 : 0);
  out.text(row.project);
  out.text(row.rates);
  out.number(row.list_cost.nano());
  out.number(row.corrects.value());
}

class Binder {
 public:
  explicit Binder(store::Statement& statement) : statement_(statement) {}
  void number(int64_t value) { statement_.bind(++at_, value); }
  void text(std::string_view value) { statement_.bind(++at_, value); }

 private:
  store::Statement& statement_;
  int at_ = 0;
};

}  // namespace

std::span<const store::Migration> requests_migrations() {
  // Who asks for the requests of a user, or with an error code, finds few: by an index. What is in
  // the file already is tallied by whoever opens it (TallyWriter::open).
  static const std::string kTallies =
      tally_tables_sql() +
      "CREATE INDEX request_user ON request(user) WHERE user<>'';"
      "CREATE INDEX request_error_code ON request(error_code) WHERE error_code<>'';"
      "CREATE INDEX request_failed ON request(status/100) WHERE status>=400";
  static const store::Migration kMigrations[] = {
      {1, kRequestTable},    {2, kRollupTable}, {3, kRequestMore}, {4, kRollupWithProject},
      {5, kTallies.c_str()}, {6, kCorrections}, {7, kUntallied}};
  return kMigrations;
}

std::span<const store::Migration> captures_migrations() {
  static const store::Migration kMigrations[] = {
      {1,
       "CREATE TABLE capture(id INTEGER PRIMARY KEY, request BLOB NOT NULL, "
       "response BLOB NOT NULL, request_content_type TEXT NOT NULL, "
       "response_content_type TEXT NOT NULL, request_bytes INTEGER NOT NULL, "
       "response_bytes INTEGER NOT NULL)"}};
  return kMigrations;
}

std::span<const store::Migration> meta_migrations() {
  static const std::string kTallies = tally_tables_sql() + tally_from_rollup_sql();
  static const store::Migration kMigrations[] = {
      {1, kRollupTable}, {2, kRollupWithProject}, {3, kTallies.c_str()}};
  return kMigrations;
}

std::string insert_request_sql() {
  return fmt::format("INSERT OR IGNORE INTO request({}) VALUES({})", kRequestColumns,
                     parameters(kRequestColumnCount));
}

std::string insert_requests_sql() {
  return fmt::format("INSERT OR IGNORE INTO request({}) SELECT * FROM {}", kRequestColumns,
                     kRequestFeed);
}

std::string select_request_sql() {
  return fmt::format("SELECT {} FROM request", kRequestColumns);
}

void bind_request(store::Statement& statement, const RequestRow& row) {
  Binder binder(statement);
  put_request(binder, row);
}

void feed_request(store::Feed::Row& cells, const RowView& row) {
  put_request(cells, row);
}

RequestRow read_request(const store::Statement& statement) {
  Reader in(statement);
  RequestRow row;
  row.id = Id(in.number());
  row.start_ms = in.number();
  row.key_id = in.text();
  row.team = in.text();
  row.user = in.text();
  row.tags = in.text();
  row.dialect = in.text();
  row.endpoint = in.text();
  row.model_asked = in.text();
  row.model = in.text();
  row.deployment = in.text();
  row.account = in.text();
  row.provider = in.text();
  row.provider_model = in.text();
  row.attempts = static_cast<uint32_t>(in.number());
  row.attempts_text = in.text();
  row.status = static_cast<int32_t>(in.number());
  row.outcome = static_cast<Outcome>(in.number());
  row.error_code = in.text();
  row.streamed = in.flag();
  row.total_us = in.number();
  row.ttft_us = in.number();
  row.upstream_us = in.number();
  row.usage.input = in.number();
  row.usage.cache_read = in.number();
  row.usage.cache_write_5m = in.number();
  row.usage.cache_write_1h = in.number();
  row.usage.input_audio = in.number();
  row.usage.input_image = in.number();
  row.usage.output = in.number();
  row.usage.output_audio = in.number();
  row.usage.output_image = in.number();
  row.usage.reasoning = in.number();
  row.usage.tool_calls = in.number();
  row.usage.service_tier = in.text();
  row.usage.reported = in.flag();
  row.cost = Money::from_nano(in.number());
  row.price_row = in.text();
  row.cost_state = static_cast<CostState>(in.number());
  row.config_generation = in.number();
  row.bytes_in = in.number();
  row.bytes_out = in.number();
  row.captured = in.flag();
  row.project = in.text();
  row.rates = in.text();
  row.list_cost = Money::from_nano(in.number());
  row.corrects = Id(in.number());
  return row;
}

template <class Text>
void RollupSums::add(const BasicRow<Text>& row) {
  if (row.corrects.value() != 0) {
    cost_nano = (Money::from_nano(cost_nano) + row.cost).nano();
    return;
  }
  requests += 1;
  errors += row.outcome != Outcome::ok || row.status >= 400 ? 1 : 0;
  aborted += row.outcome == Outcome::aborted ? 1 : 0;
  denied += row.outcome == Outcome::denied ? 1 : 0;
  // A request that used nothing has no cost to be unsure about.
  bool used = row.usage.total_input() + row.usage.total_output() + row.usage.tool_calls > 0;
  unpriced += used && row.cost_state == CostState::unpriced ? 1 : 0;
  estimated += used && row.cost_state == CostState::estimated ? 1 : 0;
  input_tokens += row.usage.total_input();
  cache_read_tokens += row.usage.cache_read;
  cache_write_tokens += row.usage.cache_write_5m + row.usage.cache_write_1h;
  output_tokens += row.usage.total_output();
  reasoning_tokens += row.usage.reasoning;
  cost_nano = (Money::from_nano(cost_nano) + row.cost).nano();
  total_us += row.total_us;
  ttft_us += row.ttft_us;
  ttft_count += row.ttft_us > 0 ? 1 : 0;
}

template void RollupSums::add(const RequestRow& row);
template void RollupSums::add(const RowView& row);

void RollupSums::add(const RollupSums& more) {
  requests += more.requests;
  errors += more.errors;
  aborted += more.aborted;
  denied += more.denied;
  unpriced += more.unpriced;
  estimated += more.estimated;
  input_tokens += more.input_tokens;
  cache_read_tokens += more.cache_read_tokens;
  cache_write_tokens += more.cache_write_tokens;
  output_tokens += more.output_tokens;
  reasoning_tokens += more.reasoning_tokens;
  cost_nano = (Money::from_nano(cost_nano) + Money::from_nano(more.cost_nano)).nano();
  total_us += more.total_us;
  ttft_us += more.ttft_us;
  ttft_count += more.ttft_count;
}

template <class Text>
RollupKey rollup_key(const BasicRow<Text>& row) {
  return {row.id.wall_ms() / kHourMs, std::string(row.key_id), std::string(row.team),
          std::string(row.project),   std::string(row.model),  std::string(row.deployment),
          std::string(row.provider),  row.status / 100};
}
template RollupKey rollup_key(const RequestRow& row);
template RollupKey rollup_key(const RowView& row);

template <class Text>
bool belongs_to(const BasicRow<Text>& row, const RollupKey& key) {
  return key.hour == row.id.wall_ms() / kHourMs && key.key_id == row.key_id &&
         key.team == row.team && key.project == row.project && key.model == row.model &&
         key.deployment == row.deployment && key.provider == row.provider &&
         key.status_class == row.status / 100;
}

template bool belongs_to(const RequestRow& row, const RollupKey& key);
template bool belongs_to(const RowView& row, const RollupKey& key);

std::string upsert_sums_sql(std::string_view table, std::string_view key_columns, int keys) {
  std::string columns;
  std::string updates;
  for (std::string_view column : kSumColumns) {
    columns += fmt::format(", {}", column);
    updates +=
        fmt::format("{}{}={}+excluded.{}", updates.empty() ? "" : ", ", column, column, column);
  }
  return fmt::format("INSERT INTO {}({}{}) VALUES({}) ON CONFLICT DO UPDATE SET {}", table,
                     key_columns, columns,
                     parameters(keys + static_cast<int>(std::size(kSumColumns))), updates);
}

std::string upsert_rollup_sql(std::string_view table) {
  return upsert_sums_sql(
      table, "hour, key_id, team, project, model, deployment, provider, status_class", 8);
}

void bind_rollup(store::Statement& statement, const RollupKey& key, const RollupSums& sums) {
  statement.bind(1, key.hour)
      .bind(2, key.key_id)
      .bind(3, key.team)
      .bind(4, key.project)
      .bind(5, key.model)
      .bind(6, key.deployment)
      .bind(7, key.provider)
      .bind(8, key.status_class);
  bind_sums(statement, 9, sums);
}

void bind_sums(store::Statement& statement, int first, const RollupSums& sums) {
  int at = first;
  for (int64_t value :
       {sums.requests, sums.errors, sums.aborted, sums.denied, sums.unpriced, sums.estimated,
        sums.input_tokens, sums.cache_read_tokens, sums.cache_write_tokens, sums.output_tokens,
        sums.reasoning_tokens, sums.cost_nano, sums.total_us, sums.ttft_us, sums.ttft_count}) {
    statement.bind(at++, value);
  }
}

std::span<const std::string_view> sum_columns() {
  return kSumColumns;
}

std::string sum_rollup_columns() {
  std::string text;
  for (std::string_view column : kSumColumns) {
    text += fmt::format("{}sum({})", text.empty() ? "" : ", ", column);
  }
  return text;
}

RollupSums read_rollup_sums(const store::Statement& statement, int first) {
  RollupSums sums;
  int at = first;
  for (int64_t* value :
       {&sums.requests, &sums.errors, &sums.aborted, &sums.denied, &sums.unpriced, &sums.estimated,
        &sums.input_tokens, &sums.cache_read_tokens, &sums.cache_write_tokens, &sums.output_tokens,
        &sums.reasoning_tokens, &sums.cost_nano, &sums.total_us, &sums.ttft_us, &sums.ttft_count}) {
    *value = statement.column_int64(at++);
  }
  return sums;
}

}  // namespace weir::ledger
