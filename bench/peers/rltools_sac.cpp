// RLtools' SAC: updates per second, through the package's public operations.
//
// One update is what RLtools' own training loop does after each environment step, without that
// step. It draws one batch from the replay buffer, trains both critics on it, moves the target
// networks, and trains actor and temperature on the same batch. Sizes are template arguments in
// RLtools, so run.py builds one program per size:
//
//   g++ -std=c++17 -O3 -march=native -ffast-math
//       -DPEER_OBS=3 -DPEER_ACT=1 -DPEER_HIDDEN=64 -DPEER_BATCH=100
//       -I .../rltools/external/rl_tools/include rltools_sac.cpp
//       [-DRL_TOOLS_BACKEND_ENABLE_OPENBLAS -DRL_TOOLS_DISABLE_UNALIGNED_MEMORY_ALLOCATIONS -lblas]
//
// These are the flags with which the Python package builds its own extension. The two arguments are
// the seconds of a repetition and the number of repetitions. The output is {"rates": [...]}.

// clang-format off: the device comes first
#include <rl_tools/operations/cpu_mux.h>
#include <rl_tools/rl/environments/operations_generic.h>
// clang-format on

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace rlt = rl_tools;

using Device = rlt::devices::DEVICE_FACTORY<>;
using Index = Device::index_t;
using Rng = Device::SPEC::RANDOM::ENGINE<>;
using Types = rlt::numeric_types::Policy<float>;

constexpr Index kTransitions = 100000; // in the replay buffer before measuring starts

// An environment whose observations and rewards are noise. It only fills the replay buffer.
struct Noise : rlt::rl::environments::Environment<float, Index> {
  using T = float;
  using TI = Index;
  struct State {
    std::array<float, PEER_OBS> x;
  };
  struct Parameters {};
  struct Observation {
    static constexpr Index DIM = PEER_OBS;
  };
  using ObservationPrivileged = Observation;
  static constexpr Index ACTION_DIM = PEER_ACT;
  static constexpr Index EPISODE_STEP_LIMIT = 200;
};

namespace rl_tools {
inline void malloc(Device &, const Noise &) {}
inline void free(Device &, const Noise &) {}
inline void init(Device &, const Noise &) {}
inline void initial_parameters(Device &, const Noise &, Noise::Parameters &) {}
template <typename RNG>
void sample_initial_parameters(Device &, const Noise &, Noise::Parameters &, RNG &) {}
template <typename RNG>
void sample_initial_state(Device &device, const Noise &, const Noise::Parameters &,
                          Noise::State &state, RNG &rng) {
  for (float &x : state.x) {
    x = random::normal_distribution::sample(device.random, 0.0f, 1.0f, rng);
  }
}
template <typename ACTION, typename RNG>
float step(Device &device, const Noise &env, const Noise::Parameters &parameters,
           const Noise::State &, const Matrix<ACTION> &, Noise::State &next, RNG &rng) {
  sample_initial_state(device, env, parameters, next, rng);
  return 1.0f;
}
template <typename ACTION, typename RNG>
float reward(Device &, const Noise &, const Noise::Parameters &, const Noise::State &state,
             const Matrix<ACTION> &, const Noise::State &, RNG &) {
  return state.x[0];
}
template <typename OBSERVATION, typename RNG>
void observe(Device &, const Noise &, const Noise::Parameters &, const Noise::State &state,
             const Noise::Observation &, Matrix<OBSERVATION> &observation, RNG &) {
  for (Index i = 0; i < PEER_OBS; i++) {
    set(observation, 0, i, state.x[i]);
  }
}
template <typename RNG>
bool terminated(Device &, const Noise &, const Noise::Parameters &, const Noise::State, RNG &) {
  return false;
}
} // namespace rl_tools

// These come after the environment because they look up its operations where they are defined. Each
// of them needs those before it.
// clang-format off
#include <rl_tools/nn/optimizers/adam/instance/operations_generic.h>
#include <rl_tools/nn/operations_cpu_mux.h>
#include <rl_tools/nn/layers/sample_and_squash/operations_generic.h>
#include <rl_tools/nn_models/mlp/operations_generic.h>
#include <rl_tools/nn_models/random_uniform/operations_generic.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include <rl_tools/nn/optimizers/adam/operations_generic.h>
#include <rl_tools/rl/algorithms/sac/loop/core/config.h>
#include <rl_tools/rl/algorithms/sac/loop/core/operations_generic.h>
// clang-format on

// The package's defaults, except for the sizes and a warm-up that fills the replay buffer.
struct Parameters : rlt::rl::algorithms::sac::loop::core::DefaultParameters<Types, Index, Noise> {
  struct SAC_PARAMETERS : rlt::rl::algorithms::sac::DefaultParameters<Types, Index, PEER_ACT> {
    static constexpr Index ACTOR_BATCH_SIZE = PEER_BATCH;
    static constexpr Index CRITIC_BATCH_SIZE = PEER_BATCH;
  };
  static constexpr Index N_WARMUP_STEPS = kTransitions;
  static constexpr Index N_WARMUP_STEPS_CRITIC = kTransitions;
  static constexpr Index N_WARMUP_STEPS_ACTOR = kTransitions;
  static constexpr Index STEP_LIMIT = kTransitions;
  static constexpr Index REPLAY_BUFFER_CAP = kTransitions;
  static constexpr Index ACTOR_HIDDEN_DIM = PEER_HIDDEN; // two hidden layers and the output
  static constexpr Index CRITIC_HIDDEN_DIM = PEER_HIDDEN;
};

using Config = rlt::rl::algorithms::sac::loop::core::Config<Types, Index, Rng, Noise, Parameters>;
using State = Config::State<Config>;

static void update(Device &device, State &s) {
  auto &ac = s.actor_critic;
  rlt::set_step(device, device.logger, s.step++);
  rlt::gather_batch(device, s.off_policy_runner, s.critic_batch, s.rng);
  rlt::randn(device, s.action_noise_critic, s.rng);
  for (int i = 0; i < 2; i++) {
    rlt::train_critic(device, ac, ac.critics[i], s.critic_batch, ac.critic_optimizers[i],
                      s.actor_target_buffers[i], s.critic_buffers[i], s.critic_target_buffers[i],
                      s.critic_training_buffers[i], s.action_noise_critic, s.rng);
  }
  rlt::update_critic_targets(device, ac);
  rlt::randn(device, s.action_noise_actor, s.rng);
  rlt::train_actor(device, ac, s.critic_batch, ac.actor_optimizer, s.actor_buffers[0],
                   s.critic_buffers[0], s.actor_training_buffers, s.action_noise_actor, s.rng);
}

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
  while (state->step < kTransitions) {
    rlt::step(device, *state);
  }
  for (int i = 0; i < 50; i++) {
    update(device, *state);
  }
  std::printf("{\"rates\": [");
  for (int r = 0; r < repetitions; r++) {
    const double start = now();
    double elapsed = 0.0;
    long done = 0;
    for (; elapsed < seconds; elapsed = now() - start, done += 10) {
      for (int i = 0; i < 10; i++) {
        update(device, *state);
      }
    }
    std::printf("%s%.3f", r ? ", " : "", static_cast<double>(done) / elapsed);
  }
  auto &log_alpha = rlt::get_last_layer(state->actor_critic.actor).log_alpha;
  std::printf("], \"log_alpha\": %g}\n",
              static_cast<double>(rlt::get(device, log_alpha.parameters, 0)));
  rlt::free(device, *state);
  return 0;
}
