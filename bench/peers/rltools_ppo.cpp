// RLtools' PPO on its own Pendulum: environment steps per second, with rollouts and updates.
//
// One step of the package's training loop is one rollout, its values and advantages, and its
// epochs. Everything except the sizes is the default (hidden layers of ReLU, episodes of 200
// steps). run.py gives the sizes:
//
//   g++ -std=c++17 -O3 -march=native -ffast-math -DPEER_ENVS=4 -DPEER_STEPS=1024 -DPEER_BATCH=256
//       -DPEER_EPOCHS=2 -DPEER_HIDDEN=64 -I .../rltools/external/rl_tools/include rltools_ppo.cpp
//       [-DRL_TOOLS_BACKEND_ENABLE_OPENBLAS -DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS -lblas]
//
// The two arguments are the seconds of a repetition and the number of repetitions. The output is
// {"rates": [...]}.

// clang-format off: the device comes first, and each header needs those before it
#include <rl_tools/operations/cpu_mux.h>
#include <rl_tools/rl/environments/pendulum/operations_cpu.h>
#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>
#include <rl_tools/nn/operations_cpu_mux.h>
#include <rl_tools/nn/layers/standardize/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include <rl_tools/nn/optimizers/adam/operations_generic.h>
#include <rl_tools/rl/components/on_policy_runner/operations_generic.h>
#include <rl_tools/rl/algorithms/ppo/loop/core/config.h>
#include <rl_tools/rl/algorithms/ppo/loop/core/operations_generic.h>
// clang-format on

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace rlt = rl_tools;

using Device = rlt::devices::DEVICE_FACTORY<>;
using Index = Device::index_t;
using Rng = Device::SPEC::RANDOM::ENGINE<>;
using Types = rlt::numeric_types::Policy<float>;
using Pendulum =
    rlt::rl::environments::Pendulum<rlt::rl::environments::pendulum::Specification<float, Index>>;

struct Parameters : rlt::rl::algorithms::ppo::loop::core::DefaultParameters<Types, Index, Pendulum> {
  static constexpr Index STEP_LIMIT = 1000000000;
  static constexpr Index N_ENVIRONMENTS = PEER_ENVS;
  static constexpr Index ON_POLICY_RUNNER_STEPS_PER_ENV = PEER_STEPS;
  static constexpr Index DATASET_SIZE = PEER_ENVS * PEER_STEPS;
  static constexpr Index BATCH_SIZE = PEER_BATCH;
  static constexpr Index EPISODE_STEP_LIMIT = 200;
  static constexpr Index ACTOR_HIDDEN_DIM = PEER_HIDDEN; // two hidden layers and the output
  static constexpr Index CRITIC_HIDDEN_DIM = PEER_HIDDEN;
  struct PPO_PARAMETERS : rlt::rl::algorithms::ppo::DefaultParameters<Types, Index, PEER_BATCH> {
    static constexpr Index N_EPOCHS = PEER_EPOCHS;
  };
};

using Config = rlt::rl::algorithms::ppo::loop::core::Config<Types, Index, Rng, Pendulum, Parameters>;
using State = Config::State<Config>;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1.0;
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 5;
  Device device;
  auto state = std::make_unique<State>();
  rlt::init(device);
  rlt::malloc(device, *state);
  rlt::init(device, *state, 1);
  for (int i = 0; i < 2; i++) {
    rlt::step(device, *state);
  }
  std::printf("{\"rates\": [");
  for (int r = 0; r < repetitions; r++) {
    const double start = now();
    double elapsed = 0.0;
    long done = 0;
    for (; elapsed < seconds; elapsed = now() - start) {
      rlt::step(device, *state);
      done += PEER_ENVS * PEER_STEPS;
    }
    std::printf("%s%.3f", r ? ", " : "", static_cast<double>(done) / elapsed);
  }
  std::printf("]}\n");
  rlt::free(device, *state);
  return 0;
}
