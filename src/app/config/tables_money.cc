// The tables of prices and what changes them; see tables.cc.
#include "app/config/codec.h"
#include "app/config/schema.h"

namespace weir::app {

template <>
const ObjectSpec& spec_of<TokenPrices>() {
  constexpr Rule kPrice{.unset = "unpriced"};
  static const ObjectSpec spec =
      Table<TokenPrices>("Token prices", "US dollars per million tokens, exact decimals.")
          .field("input", &TokenPrices::input, "Input that no cache served.", kPrice)
          .field("cache_read", &TokenPrices::cache_read, "Input from the provider's prompt cache.",
                 kPrice)
          .field("cache_write_5m", &TokenPrices::cache_write_5m,
                 "Input written to the cache for five minutes.", kPrice)
          .field("cache_write_1h", &TokenPrices::cache_write_1h,
                 "Input written to the cache for an hour.", kPrice)
          .field("input_audio", &TokenPrices::input_audio, "Audio input.", kPrice)
          .field("input_image", &TokenPrices::input_image, "Image input.", kPrice)
          .field("output", &TokenPrices::output, "Output, reasoning included.", kPrice)
          .field("output_audio", &TokenPrices::output_audio, "Audio output.", kPrice)
          .field("output_image", &TokenPrices::output_image, "Image output.", kPrice)
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<PriceTier>() {
  static const ObjectSpec spec =
      Table<PriceTier>("Context tier", "Other prices for requests with a long input.")
          .field("above_tokens", &PriceTier::above_tokens,
                 "With more input tokens than this, these prices hold for the whole request.",
                 {.required = true, .min = 1, .max = 1'000'000'000})
          .field("usd_per_million", &PriceTier::usd_per_million,
                 "US dollars per million tokens by class.", {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<PriceTerm>() {
  static const ObjectSpec spec =
      Table<PriceTerm>("Price term",
                       "What an account is charged beside the list price: a negotiated discount, a "
                       "regional uplift. Of several that match, the last that says so holds.")
          .field("account", &PriceTerm::account, "Account it is for.",
                 {.as = FieldKind::name, .unset = "every account"})
          .field("location", &PriceTerm::location,
                 "Region or location of the account; `eu-*` means all that begin so.",
                 {.unset = "any"})
          .field("model", &PriceTerm::model,
                 "The provider's name of the model; `gpt-4o*` means all that begin so.",
                 {.unset = "every model"})
          .field("valid_from", &PriceTerm::valid_from, "From when on it holds.",
                 {.unset = "always"})
          .field("valid_until", &PriceTerm::valid_until, "When it has ended.", {.unset = "never"})
          .field("uplift", &PriceTerm::uplift, "Added to the list price.", {.unset = "none"})
          .field("discount", &PriceTerm::discount, "Taken off the list price with its uplift.",
                 {.unset = "none"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<CurrencyRate>() {
  static const ObjectSpec spec =
      Table<CurrencyRate>("Currency rate", "What a US dollar is worth from a day on.")
          .field("valid_from", &CurrencyRate::valid_from, "From when on it holds.",
                 {.unset = "always"})
          .field("per_usd", &CurrencyRate::per_usd, "Units of the currency for one US dollar.",
                 {.required = true})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Currency>() {
  static const ObjectSpec spec =
      Table<Currency>("Currency",
                      "What FOCUS exports are billed in. The ledger itself counts US dollars.")
          .field("code", &Currency::code, "ISO 4217 code, such as `EUR`.", {.required = true})
          .field("rates", &Currency::rates, "Dated rates.", {.required = true})
          .done();
  return spec;
}

}  // namespace weir::app
