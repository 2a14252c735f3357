// Where a Bedrock account's credentials come from: the account itself, a profile of AWS's shared
// credentials file, the environment. One thread, at load time.
#pragma once

#include <optional>
#include <string_view>

#include "app/config/config.h"
#include "app/config/reader.h"
#include "http/sigv4.h"

namespace weir::app {

// Fills Account::aws (or api_key and region) of every Bedrock account, in this order: its own
// api_key or access key; the profile that it names; AWS_BEARER_TOKEN_BEDROCK; AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY; the profile AWS_PROFILE or "default". Reports what is missing.
void resolve_aws(Config& config, Reader& reader);

// The credentials of one profile in the text of a shared credentials file; nullopt where there is
// no such profile or it lacks a key.
std::optional<http::AwsCredentials> profile_credentials(std::string_view text,
                                                        std::string_view profile);

}  // namespace weir::app
