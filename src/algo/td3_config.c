/// Field table of twin delayed DDPG (TD3): defaults, ranges, help. The struct is in celsius/td3.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/td3.h"

#include <string.h>

#define CONFIG CelTd3Config
#define LEARNING_RATE "1e-3"
#define NET_ARCH "400,300"
#define TARGET_UPDATE_INTERVAL "1"
#define TARGET_UPDATE_UNIT "updates"
#define TARGET_UPDATE_DOC                                                                          \
  "gradient steps between moves of the target networks, of those that update the policy"
#define NOISE "normal"
#define NOISE_CHOICES "none|normal|ou"
#define NOISE_DOC                                                                                  \
  "exploration noise; use ou when exploration must keep one direction for a while; none: "         \
  "explores "                                                                                      \
  "before learning_starts only"

// clang-format off
const CelField celi_td3_fields[] = {
#include "algo/fields/off_policy.inc"
#include "algo/fields/critics.inc"
#include "algo/fields/nstep.inc"
    {.name = "policy_delay", .type = CEL_FIELD_INT, .offset = F(policy_delay), .def = "2",
     .min = 1, .max = 1e6, .unit = "updates",
     .doc = "updates of the critics for each of the policy and the target networks",
     .source = "Fujimoto et al., 2018"},
    {.name = "target_policy_noise", .type = CEL_FIELD_DOUBLE, .offset = F(target_policy_noise),
     .def = "0.2", .min = 0, .max = 100,
     .doc = "standard deviation of the noise on the target policy's action, in units of the scaled "
            "action; it smooths the target over similar actions"},
    {.name = "target_noise_clip", .type = CEL_FIELD_DOUBLE, .offset = F(target_noise_clip),
     .def = "0.5", .min = 0, .max = 100,
     .doc = "bound on that noise"},
#include "algo/fields/noise.inc"
    {0},
};
// clang-format on

const CelField *cel_td3_fields(void) {
  return celi_td3_fields;
}

CelTd3Config cel_td3_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelTd3Config config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_td3_fields, &config);
  return config;
}
