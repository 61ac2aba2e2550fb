/// Field table of deep Q-networks (DQN): defaults, ranges, help. The struct is in celsius/dqn.h.
#include "algo/fields.h"
#include "algo/off_policy.h"
#include "base/floats.h"
#include "celsius/dqn.h"

#include <string.h>

#define CONFIG CelDqnConfig
#define LEARNING_RATE "1e-4"
#define BATCH_SIZE "32"
#define TAU "1"
#define TRAIN_FREQ "4"
#define NET_ARCH "64,64"
#define MAX_GRAD_NORM "10"
#define TARGET_UPDATE_INTERVAL "10000"
#define TARGET_UPDATE_UNIT "steps"
#define TARGET_UPDATE_DOC "steps of all environments together between moves of the target network"

// clang-format off
const CelField celi_dqn_fields[] = {
#include "algo/fields/off_policy.inc"
    {.name = "double_q", .type = CEL_FIELD_BOOL, .offset = F(double_q), .def = "false",
     .doc = "double Q-learning: Q chooses the action of the target, the target network values it; "
            "turn it on when Q values are too large",
     .source = "van Hasselt et al., 2016"},
    {.name = "dueling", .type = CEL_FIELD_BOOL, .offset = F(dueling), .def = "false",
     .doc = "dueling network: the outputs are V and one advantage per action; turn it on when many "
            "actions have about the same value",
     .source = "Wang et al., 2016"},
#include "algo/fields/nstep.inc"
    {.name = "loss", .type = CEL_FIELD_ENUM, .offset = F(loss), .def = "huber",
     .choices = "huber|squared",
     .doc = "loss of Q: huber bounds the gradient; with squared, Q is the mean of the targets"},
    {.name = "exploration_fraction", .type = CEL_FIELD_DOUBLE, .offset = F(exploration_fraction),
     .def = "0.1", .min = 0, .max = 1,
     .doc = "fraction of the planned steps in which the exploration rate falls"},
    {.name = "exploration_initial_eps", .type = CEL_FIELD_DOUBLE,
     .offset = F(exploration_initial_eps), .def = "1", .min = 0, .max = 1,
     .doc = "probability of a uniformly random action at the start"},
    {.name = "exploration_final_eps", .type = CEL_FIELD_DOUBLE, .offset = F(exploration_final_eps),
     .def = "0.05", .min = 0, .max = 1,
     .doc = "probability of a uniformly random action after exploration_fraction"},
    {0},
};
// clang-format on

const CelField *cel_dqn_fields(void) {
  return celi_dqn_fields;
}

CelDqnConfig cel_dqn_config_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelDqnConfig config;
  memset(&config, 0, sizeof config);
  cel_fields_default(celi_dqn_fields, &config);
  return config;
}
