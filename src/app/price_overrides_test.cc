#include "app/price_overrides.h"

#include <gtest/gtest.h>

#include "app/config/load.h"

namespace weir::app {
namespace {

TEST(PriceBookOfAConfiguration, FilesAreReadAndMakeTheBookWithTheTerms) {
  Surroundings surroundings = Surroundings::empty();
  std::string file =
      "provider,model,tier,location,hours,valid_from,above,input,cache_read,cache_write_5m,"
      "cache_write_1h,output,input_audio,output_audio,input_image,output_image,tool_call,aliases,"
      "source\nopenai,acme,,,,2026-01-01,,2,,,,8,,,,,,,https://x\n";
  surroundings.read_file = [&file](const std::string&) -> Result<std::string> { return file; };
  const std::string text =
      "accounts:\n- {name: a, provider: openai, api_key: k}\n"
      "price_files: [prices.csv]\nprice_terms:\n- {account: a, model: ac*, uplift: 10%}\n";
  const Loaded loaded = load_text(text, surroundings);
  ASSERT_TRUE(loaded.config) << loaded.problems.at(0).message;
  const Config& config = *loaded.config;
  ASSERT_EQ(config.file_prices.size(), 1u);
  const auto book = price_book(config);
  ASSERT_TRUE(book);
  const ledger::PriceQuery query{
      .provider = "openai", .model = "acme", .account = "a", .wall_ms = 1'800'000'000'000};
  ASSERT_NE(book->find(query), nullptr);
  EXPECT_EQ(book->find(query)->id, "file/openai/acme@2026-01-01");
  EXPECT_EQ(book->factors(query).uplift_ppm, 100'000);
  file += "openai,acme,,,,2026-01-01,,2,,,,8,,,,,,,https://x\n";
  EXPECT_FALSE(load_text(text, surroundings).config) << "a row twice";
  file = "no,such,header\n";
  EXPECT_FALSE(load_text(text, surroundings).config);
}

}  // namespace
}  // namespace weir::app
