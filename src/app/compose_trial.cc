// The model that an account is tried with when nobody has named it in the configuration.
#include "app/compose.h"

namespace weir::app {

Result<gateway::Model> Composer::trial_model(std::shared_ptr<const provider::Account> account,
                                             const std::string& name) {
  static constexpr const char* kTrial = "weir:test";
  auto one = std::make_shared<provider::Deployment>();
  one->account = std::move(account);
  one->model = one->base_model = name;
  one->name = kTrial;
  gateway::Model model;
  model.name = name;
  WEIR_TRY(model.slot, model_slot(kTrial));
  WEIR_TRY(one->slot, deployment_slot(*one, kTrial));
  auto& place = deployment_states_[kTrial];
  if (!place) {
    place = std::make_shared<provider::DeploymentState>();
    place->index = static_cast<uint32_t>(deployment_states_.size() - 1);
  }
  // Its own: a trial that is refused must not hold back the next one.
  one->state = std::make_shared<provider::DeploymentState>();
  one->state->index = place->index;
  one->name = one->account->name + "/" + name;
  model.pool = provider::Pool({std::move(one)});
  return model;
}

}  // namespace weir::app
