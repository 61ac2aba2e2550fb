/// Environments that MuJoCo simulates: what the files of this plug-in share.
///
/// The plug-in is a shared object of its own, so that the library never links MuJoCo. It uses only
/// the public headers of Celsius. src/env/extension.c loads it.
///
/// - model.c loads a model file and turns MuJoCo's fatal errors into statuses.
/// - engine.c is the environment itself: open, reset, step, and the state of an environment as a
///   row of doubles. It serves every task.
/// - A task (CeliTask) is a short table: the model, the arguments, and three functions that give
///   the initial state, the observation and the reward. locomotion.c, humanoid.c, arm.c and
///   pendulum.c have the tasks of Gymnasium.
/// - render.c draws with MuJoCo's renderer.
///
/// The state of one environment is MuJoCo's integration state (mjSTATE_INTEGRATION), followed by
/// the task's marks. Marks are numbers from before a step that its reward needs.
/// Every step computes all that MuJoCo derives from the state. So any mjData can serve any
/// environment, and results do not depend on which one does.
#ifndef CELI_MUJOCO_ENV_H
#define CELI_MUJOCO_ENV_H
#include "arguments.h"
#include <celsius/canvas.h>
#include <celsius/env.h>
#include <mujoco/mujoco.h>
#include <pthread.h>

#define CELI_MUJOCO_TRY(call)                                                                      \
  do {                                                                                             \
    const CelStatus celi_status_ = (call);                                                         \
    if (celi_status_ != CEL_OK) return celi_status_;                                               \
  } while (0)

enum {
  CELI_MARKS_MAX = 8, ///< doubles that a task may remember from before a step
  CELI_BODIES_MAX = 3 ///< bodies that a task may name
};

typedef struct CeliMujoco CeliMujoco;
typedef struct CeliRenderer CeliRenderer; ///< render.c

/// Writes observations, or only counts their elements where `at` is NULL.
typedef struct CeliObservation {
  float *at;
  int64_t n; ///< elements so far
} CeliObservation;

/// The view of pictures without a named camera. Angles are in degrees, lengths in meters. A
/// distance of 0 stands for MuJoCo's own choice.
typedef struct CeliView {
  int track; ///< body to follow; -1: none
  double distance, elevation;
  double lookat[3];
  bool has_lookat, has_elevation;
} CeliView;

/// A task. `type` is its first member, so that the type of a spec is its task.
typedef struct CeliTask {
  CelEnvType type;
  int version;       ///< of Gymnasium's definition: 4 or 5
  const char *model; ///< file name
  /// Complete table of CeliArguments. It has the values of arguments that type.fields lacks.
  const CelField *arguments;
  const char *bodies[CELI_BODIES_MAX]; ///< bodies that the functions use by index
  int marks;                           ///< doubles that `mark` writes
  int least_nq, least_nv, least_nsite; ///< sizes that the functions need of a user's model
  CeliView view;
  /// Sets the initial positions (nq,) and velocities (nv,), which are the model's on entry.
  void (*start)(const CeliMujoco *e, double *qpos, double *qvel, CelRng *rng);
  /// Writes the marks (marks,) after a reset or step. NULL: no marks.
  void (*mark)(const CeliMujoco *e, const mjData *d, double *marks);
  void (*observe)(const CeliMujoco *e, const mjData *d, CeliObservation *out);
  /// Returns the reward of a step. action (nu,); marks (marks,): from before the step. May set
  /// *terminated, which is 0 on entry.
  double (*reward)(const CeliMujoco *e, const mjData *d, const float *action, const double *marks,
                   uint8_t *terminated);
} CeliTask;

/// An opened task: spec->data.
struct CeliMujoco {
  const CeliTask *task;
  CeliArguments a;
  mjModel *model;
  int body[CELI_BODIES_MAX];
  int state_size;         ///< of the integration state
  double dt;              ///< seconds of a step
  CeliRenderer *renderer; ///< made by the first picture
  pthread_mutex_t drawing;
  const char *camera; ///< default camera of pictures; NULL: none
  /// Sets the numbers of a copy of the model that this state has drawn, for pictures. NULL: none.
  void (*prepare)(const CeliMujoco *e, mjModel *copy, const double *state);
  /// mjData that no thread uses at the moment, and all that exist.
  struct {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    mjData **free, **all;
    int n_free, n;
  } pool;
};

// ---- model.c

/// Runs `run` and returns its status. Where MuJoCo reports a fatal error, returns CEL_E_ENV with
/// its message instead of ending the process. `run` must own nothing when it calls MuJoCo, because
/// an error leaves it at once.
CelStatus celi_mujoco_guard(CelStatus (*run)(void *argument), void *argument) CEL_WARN_UNUSED;
/// Finds a model file: the path itself, or a name in the folder of the models.
/// Errors: CEL_E_IO (with the remedy).
CelStatus celi_mujoco_find(const char *name, char path[CEL_PATH_MAX]) CEL_WARN_UNUSED;
/// Finds a model in the folder of the models.
bool celi_mujoco_find_installed(const char *name, char path[CEL_PATH_MAX]);
/// Loads a model. Free it with mj_deleteModel. Errors: CEL_E_IO, CEL_E_FORMAT (MuJoCo's message),
/// CEL_E_ENV.
CelStatus celi_mujoco_load(const char *path, mjModel **model) CEL_WARN_UNUSED;
/// Catches MuJoCo's messages from now on. Other threads' and programs' messages go on to the
/// handler that was there before.
void celi_mujoco_catch_messages(void);

// ---- engine.c: the functions of every task's CelEnvType

CelStatus celi_mujoco_open(CelEnvSpec *spec) CEL_WARN_UNUSED;
void celi_mujoco_close(CelEnvSpec *spec);
CelStatus celi_mujoco_reset(const CelEnvSpec *spec, double *state, void *obs,
                            CelRng *rng) CEL_WARN_UNUSED;
CelStatus celi_mujoco_step(const CelEnvSpec *spec, double *states, int64_t n, const void *actions,
                           void *obs, float *reward, uint8_t *terminated,
                           CelRng *rng) CEL_WARN_UNUSED;
/// Starts an episode at given positions (nq,) and velocities (nv,). For reset, and for tests.
CelStatus celi_mujoco_start(const CelEnvSpec *spec, const double *qpos, const double *qvel,
                            double *state, void *obs) CEL_WARN_UNUSED;
/// Creates the mjData of an opened environment. Errors: CEL_E_MEMORY, CEL_E_ENV.
CelStatus celi_mujoco_make_pool(CeliMujoco *e) CEL_WARN_UNUSED;
/// Frees what both kinds of environments share: pool, model, renderer.
void celi_mujoco_free(CeliMujoco *e);
/// Checks that a simulation has not diverged and had room for all contacts. Errors: CEL_E_ENV.
CelStatus celi_mujoco_check(const mjModel *m, const mjData *d) CEL_WARN_UNUSED;
/// Clears the warnings that celi_mujoco_check reads.
void celi_mujoco_clear(mjData *d);
/// Takes an mjData out of the pool; waits if all are in use.
mjData *celi_mujoco_take(CeliMujoco *e);
void celi_mujoco_give(CeliMujoco *e, mjData *d);

/// Appends x (n,) to the observation.
void celi_observe(CeliObservation *out, const double *x, int64_t n);
/// Appends x (n,), clipped to [low, high].
void celi_observe_clipped(CeliObservation *out, const double *x, int64_t n, double low,
                          double high);
/// Appends one number.
void celi_observe_one(CeliObservation *out, double x);

// ---- render.c

void celi_mujoco_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas);
/// Takes NULL.
void celi_renderer_free(CeliRenderer *renderer);

// ---- the tasks

extern const CeliTask celi_half_cheetah_v4, celi_half_cheetah_v5, celi_hopper_v4, celi_hopper_v5,
    celi_walker2d_v4, celi_walker2d_v5, celi_ant_v4, celi_ant_v5, celi_humanoid_v4,
    celi_humanoid_v5, celi_humanoid_standup_v4, celi_humanoid_standup_v5, celi_swimmer_v4,
    celi_swimmer_v5, celi_reacher_v4, celi_reacher_v5, celi_pusher_v5, celi_inverted_pendulum_v4,
    celi_inverted_pendulum_v5, celi_inverted_double_pendulum_v4, celi_inverted_double_pendulum_v5;

/// The members of CeliTask.type that all tasks share. `size`: of the arguments' struct, or 0 for a
/// task without arguments, whose table is NULL.
#define CELI_MUJOCO_TYPE(id_, doc_, steps_, threshold_, size_, fields_)                            \
  {                                                                                                \
    .abi = CEL_ENV_ABI, .id = (id_), .doc = (doc_), .max_episode_steps = (steps_),                 \
    .reward_threshold = (threshold_), .config_size = (size_), .fields = (fields_),                 \
    .open = celi_mujoco_open, .close = celi_mujoco_close, .reset = celi_mujoco_reset,              \
    .step = celi_mujoco_step, .render = celi_mujoco_render                                         \
  }

/// Whether a number is strictly inside of an interval.
static inline bool celi_inside(CelInterval range, double x) {
  return range.low < x && x < range.high;
}

#endif
