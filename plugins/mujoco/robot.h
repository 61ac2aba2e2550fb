/// Environments that a YAML file describes: any MuJoCo model, without C (docs/mujoco-models.md).
///
/// - robot.c has the environment: type, open, reset, step. engine.c's simulations serve it.
/// - document.c reads the YAML file; robot_file.c turns it into a CeliRobot.
/// - formula.c has formulas, quantity.c what they read of the simulation.
/// - robot_action.c, robot_reset.c and robot_randomize.c have one section of the file each.
///
/// The state of one environment is a row of doubles:
///     integration state of MuJoCo | memory of rate() and previous() | drawn numbers of the model
///     | commands | steps until each command changes
#ifndef CELI_MUJOCO_ROBOT_H
#define CELI_MUJOCO_ROBOT_H
#include "formula.h"
#include "mujoco_env.h"

/// The type of one file. `type` is its first member.
typedef struct CeliRobotType {
  CelEnvType type;
  struct CeliRobotType *next;
  char path[CEL_PATH_MAX];
} CeliRobotType;

/// Numbers of objects of the model.
typedef struct CeliIds {
  int *id; ///< (n,)
  int n;
} CeliIds;

// ---- observations, rewards, endings

/// Some numbers of the observation.
typedef struct CeliObserved {
  CeliValue value;
  double noise; ///< half width of uniform noise
} CeliObserved;

typedef struct CeliTerm {
  CeliValue value; ///< one number
  double weight;
} CeliTerm;

// ---- actions

typedef enum CeliActionType { CELI_CONTROL, CELI_NORMALIZED, CELI_JOINT_TARGET } CeliActionType;

/// How an element of the action moves an actuator.
typedef struct CeliMotor {
  int actuator;
  int qpos, qvel;      ///< places of its joint's position and velocity
  double center, half; ///< of the control (normalized), or default position and scale
  double kp, kd;       ///< PD gains
  double gear, gain;   ///< force = gain * control * gear
  double low, high;    ///< of the control
} CeliMotor;

typedef struct CeliAction {
  CeliActionType type;
  CeliMotor *motor; ///< (n,)
  int n;
  bool pd; ///< the control is a torque, computed from positions before every physics step
} CeliAction;

// ---- resets

typedef struct CeliSet {
  int qpos;
  CelInterval range;
} CeliSet;

typedef struct CeliReset {
  int keyframe;   ///< -1: the model's own initial state
  CeliIds random; ///< joints with a random position
  CeliSet *set;   ///< (n_set,)
  int n_set;
  CeliIds position_noise_joints, velocity_noise_joints;
  double position_noise, velocity_noise;
  bool position_normal, velocity_normal; ///< normal instead of uniform noise
  CeliValue until;                       ///< n 0: none
  int64_t settle;                        ///< physics steps
} CeliReset;

// ---- commands

typedef struct CeliCommand {
  CeliValue value;
  CelInterval *range; ///< (value.n,)
  double zero;        ///< probability of zero
  int64_t period;     ///< steps; 0: constant within an episode
  int at;             ///< place among the commands' numbers
} CeliCommand;

// ---- random models

/// A number of the model that is drawn at each reset.
typedef struct CeliDraw {
  size_t offset;     ///< of the array's pointer in mjModel
  int index;         ///< in the array
  int how;           ///< scale, add, set
  int parameter;     ///< place among the drawn numbers; several draws may share one
  int kind;          ///< row of the table in robot_randomize.c
  int object;        ///< number of the object
  CelInterval range; ///< of the draw
  bool disk;         ///< x and y of a point in a ring: index is x, and index + 1 is y
} CeliDraw;

typedef struct CeliRandomize {
  CeliDraw *draw; ///< (n,)
  int n;
  int parameters; ///< numbers in the state
  bool constants; ///< mj_setConst must follow a change
} CeliRandomize;

/// What a thread needs besides an mjData.
typedef struct CeliRobotWork {
  double *work;    ///< workspace of the program
  mjModel *model;  ///< a copy, if numbers of the model are drawn
  double *applied; ///< (parameters,) those that the copy has
  bool is_applied;
} CeliRobotWork;

typedef struct CeliRobot {
  CeliMujoco base; ///< first member, so that engine.c and render.c can use it
  CeliProgram program;
  void *sources; ///< list of all sources of the program (quantity.c)
  CeliObserved *observed;
  CeliTerm *reward, *terminate;
  int n_observed, n_reward, n_terminate;
  CeliValue action_value;
  CeliAction action;
  CeliReset reset;
  CeliCommand *command;
  int n_commands, command_numbers;
  CeliRandomize randomize;
  double time_limit;   ///< seconds; infinite: none
  bool needs_forces;   ///< forces on bodies are read
  CeliRobotWork *work; ///< (base.pool.n,), of the mjData with the same number
  char camera[CEL_TEXT_MAX];
} CeliRobot;

/// A file that is being read.
typedef struct CeliRobotFile {
  CeliDocument doc;
  CeliRobot *robot;
  const mjModel *model;
} CeliRobotFile;

/// What a program reads from: the simulation of one environment.
typedef struct CeliSimulation {
  const mjModel *m;
  const mjData *d;
} CeliSimulation;

// ---- quantity.c

/// Finds the numbers of objects by name: a name, a pattern with * or ?, "all", or a list of them.
/// except: names to leave out, or NULL. Errors: CEL_E_NAME (lists near names), CEL_E_MEMORY.
CelStatus celi_find_names(const CeliRobotFile *f, const CeliNode *node, const CeliNode *except,
                          mjtObj type, CeliIds *ids) CEL_WARN_UNUSED;
/// Adds the quantity that a mapping describes: {body_position: torso, axes: z}.
CelStatus celi_quantity(const CeliRobotFile *f, const CeliNode *node,
                        CeliValue *value) CEL_WARN_UNUSED;
void celi_quantities_free(CeliRobot *robot);
/// Width of a joint's positions and velocities.
int celi_joint_positions(const mjModel *m, int joint);
int celi_joint_velocities(const mjModel *m, int joint);

// ---- the sections

/// Reads a file, and sets both spaces of the spec. Free the robot with celi_robot_free, after an
/// error too.
CelStatus celi_robot_read(CeliRobot *robot, CelEnvSpec *spec, const char *path) CEL_WARN_UNUSED;
void celi_robot_free(CeliRobot *robot);

/// Reads "action" and sets the action space.
CelStatus celi_action_read(const CeliRobotFile *f, const CeliNode *node,
                           CelSpace *space) CEL_WARN_UNUSED;
/// Sets the controls for the next physics step. first: of an environment step.
void celi_action_apply(const CeliRobot *robot, mjData *d, const float *action, bool first);

/// Reads the keyframe, on which actions depend, and the steps to settle.
CelStatus celi_reset_keyframe(const CeliRobotFile *f, const CeliNode *node) CEL_WARN_UNUSED;
CelStatus celi_reset_read(const CeliRobotFile *f, const CeliNode *node) CEL_WARN_UNUSED;
/// Sets the initial state, without checks of `until`.
void celi_reset_draw(const CeliRobot *robot, const mjModel *m, mjData *d, CelRng *rng);
/// The positions (nq,) before anything is drawn.
const double *celi_reset_positions(const CeliRobot *robot);

CelStatus celi_commands_read(const CeliRobotFile *f, const CeliNode *node) CEL_WARN_UNUSED;
/// Draws all commands. row: of the state, from the first command on.
void celi_commands_start(const CeliRobot *robot, double *row, CelRng *rng);
/// Counts a step. Returns whether a command changed.
bool celi_commands_step(const CeliRobot *robot, double *row, CelRng *rng);

CelStatus celi_randomize_read(const CeliRobotFile *f, const CeliNode *node) CEL_WARN_UNUSED;
/// Draws the parameters (parameters,).
void celi_randomize_draw(const CeliRobot *robot, double *parameters, CelRng *rng);
/// Sets the drawn numbers of a model. m must be a copy of the robot's model. d: for mj_setConst,
/// which changes it; NULL: for pictures only.
void celi_randomize_apply(const CeliRobot *robot, mjModel *m, mjData *d, const double *parameters);

// ---- robot.c

/// The type of a file. The same path has the same type.
CelStatus celi_robot_type(const char *path, const CelEnvType **type) CEL_WARN_UNUSED;
/// Starts an episode at given positions (nq,), velocities (nv,) and parameters. Parameters NULL:
/// the middle of their ranges. For tests.
CelStatus celi_robot_start(const CelEnvSpec *spec, const double *qpos, const double *qvel,
                           const double *parameters, double *state, void *obs) CEL_WARN_UNUSED;

#endif
