/// Recording the states of episodes for an animation.
#include "base/floats.h"
#include "view/render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- speed

/// Seconds between two observations, or NAN if the environment does not define them.
static double seconds_per_step(const CelEnvSpec *spec) {
  static const char *const names[] = {"dt", "tau"};
  char text[CELI_NUMBER_MAX];
  double seconds;
  if (spec->seconds_per_step > 0) return spec->seconds_per_step * (double)spec->action_repeat;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && spec->type->fields; i++) {
    const int n = cel_fields_get(spec->type->fields, spec->config, names[i], text, sizeof text);
    if (n > 0 && n < (int)sizeof text && celi_parse_double(text, &seconds) == CELI_NUMBER_OK &&
        seconds > 0)
      return seconds * (double)spec->action_repeat;
  }
  return (double)NAN;
}

CeliPacing celi_film_pacing(const CelEnvSpec *spec, double fps) {
  const double dt = seconds_per_step(spec);
  CeliPacing pacing = {.stride = 1, .delay = 4};
  if (fps > 0) {
    pacing.delay = (int)fmax(2, round(100 / fps));
    if (dt < 0.01 * pacing.delay)
      pacing.stride = (int64_t)fmin(1e9, round(0.01 * pacing.delay / dt));
  } else if (!isnan(dt)) {
    // A picture lasts at least 0.033 seconds. Slower simulated time is sped up to 0.05 seconds,
    // except for a speed that the environment sets itself.
    const double slowest = spec->seconds_per_step > 0 ? 100 : 5;
    pacing.stride = (int64_t)fmin(1e9, fmax(1, ceil(0.033 / dt - 1e-9)));
    pacing.delay = (int)fmin(slowest, fmax(3, round(100 * dt * (double)pacing.stride)));
  }
  return pacing;
}

// ---- recording

static CelStatus add_shot(CeliFilm *film, const double *state, CeliShot shot) {
  const size_t size = (size_t)film->spec->state_size;
  if (film->n == film->capacity) {
    const int64_t capacity = film->capacity ? 2 * film->capacity : 256;
    size_t doubles;
    if (!celi_size_mul((size_t)capacity, size, &doubles))
      return cel_fail(CEL_E_MEMORY, "not enough memory for %lld states", (long long)capacity);
    CELI_TRY(celi_resize(&film->states, doubles, sizeof(double), "states to be drawn"));
    CELI_TRY(celi_resize(&film->shot, (size_t)capacity, sizeof *film->shot, "states to be drawn"));
    film->capacity = capacity;
  }
  memcpy(film->states + (size_t)film->n * size, state, size * sizeof(double));
  film->shot[film->n++] = shot;
  return CEL_OK;
}

/// One environment, and copies of its state for use after an automatic reset.
typedef struct Stage {
  CelVecEnv env;
  CelTensors *tensors;
  uint8_t *action, *obs; ///< one row each
  double *before;        ///< (state_size,) the state before the last step
} Stage;

static CelStatus stage_open(Stage *stage, const CelEnvSpec *spec, uint64_t seed, int64_t episode) {
  const int64_t action = (int64_t)cel_space_bytes(&spec->action);
  const int64_t obs = (int64_t)cel_space_bytes(&spec->observation);
  CELI_TRY(cel_tensors_create(&stage->tensors));
  CELI_TRY(cel_vecenv_declare(&stage->env, stage->tensors, "env", spec, 1, seed, CEL_RNG_EVAL,
                              (uint32_t)episode));
  CELI_TRY(cel_tensors_declare(stage->tensors, "action", CEL_U8, CEL_SCRATCH, &stage->action, 1,
                               &action));
  CELI_TRY(cel_tensors_declare(stage->tensors, "obs", CEL_U8, CEL_SCRATCH, &stage->obs, 1, &obs));
  CELI_TRY(cel_tensors_declare(stage->tensors, "before", CEL_F64, CEL_SCRATCH, &stage->before, 1,
                               &spec->state_size));
  CELI_TRY(cel_tensors_allocate(stage->tensors));
  return cel_vecenv_reset(&stage->env);
}

/// Recomputes the state that ended an episode, which the reset has overwritten. Repeats the last
/// step from the state and the random counter before it. Writes the state to stage->before.
static CelStatus last_state(Stage *stage, uint64_t counter, uint32_t index) {
  CelVecEnv *env = &stage->env;
  const CelEnvSpec *spec = env->spec;
  CelRng rng = cel_rng(env->seed, env->purpose, index);
  rng.counter = counter;
  uint8_t terminated = 0;
  for (int64_t k = 0; k < spec->action_repeat && !terminated; k++) {
    float reward;
    const CelStatus status = spec->type->step(spec, stage->before, 1, env->actions, stage->obs,
                                              &reward, &terminated, &rng);
    celi_floats_keep();
    CELI_TRY(celi_status_given(status, "step"));
  }
  return CEL_OK;
}

static CelStatus play(CeliFilm *film, Stage *stage, CelAgent *agent, int64_t episode,
                      int64_t stride, int64_t room) {
  CelVecEnv *env = &stage->env;
  const size_t bytes = (size_t)film->spec->state_size * sizeof(double);
  while (film->n < room) {
    const int64_t step = env->elapsed[0];
    const uint64_t counter = env->rng_counter[0];
    if (step % stride == 0)
      CELI_TRY(
          add_shot(film, env->states, (CeliShot){.step = step, .gained = env->episode_return[0]}));
    memcpy(stage->before, env->states, bytes);
    CELI_TRY(cel_agent_predict(agent, env->obs, 1, stage->action));
    CELI_TRY(cel_vecenv_step(env, stage->action, 0, 1));
    if (!env->terminated[0] && !env->truncated[0]) continue;
    CELI_TRY(last_state(stage, counter, (uint32_t)episode));
    CELI_TRY(add_shot(film, stage->before,
                      (CeliShot){env->final_length[0], env->final_return[0], true}));
    return CEL_OK;
  }
  film->shot[film->n - 1].last = true;
  return CEL_OK;
}

static CelStatus record(CeliFilm *film, CelAgent *agent, uint64_t seed,
                        const CelRenderOptions *options) {
  const int64_t stride = celi_film_pacing(film->spec, options->fps).stride;
  for (int64_t i = 0; i < options->episodes && film->n < options->max_frames; i++) {
    Stage stage = {0};
    CelStatus status = stage_open(&stage, film->spec, seed, i);
    // The state that ends an episode needs one more frame.
    if (status == CEL_OK) status = play(film, &stage, agent, i, stride, options->max_frames - 1);
    cel_tensors_destroy(stage.tensors);
    CELI_TRY(status);
  }
  return CEL_OK;
}

CelStatus celi_film_record(CeliFilm *film, CelAgent *agent, const CelEnvSpec *spec, uint64_t seed,
                           const CelRenderOptions *options) {
  *film = (CeliFilm){.spec = spec};
  if (cel_space_bytes(cel_agent_observation(agent)) != cel_space_bytes(&spec->observation) ||
      cel_space_bytes(cel_agent_action(agent)) != cel_space_bytes(&spec->action))
    return cel_fail(CEL_E_SHAPE, "the agent was created for other spaces than those of %s",
                    spec->type->id);
  const CelStatus status = record(film, agent, seed, options);
  if (status != CEL_OK) celi_film_free(film);
  return status;
}

void celi_film_free(CeliFilm *film) {
  free(film->states);
  free(film->shot);
  *film = (CeliFilm){0};
}
