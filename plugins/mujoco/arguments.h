/// The arguments of the tasks, and the rows of their field tables.
///
/// Names and defaults are those of Gymnasium's keyword arguments. All tasks share one struct. A
/// task's table has the rows of the arguments that it accepts.
#ifndef CELI_MUJOCO_ARGUMENTS_H
#define CELI_MUJOCO_ARGUMENTS_H
#include <celsius/field.h>
#include <stddef.h>

typedef struct CeliArguments {
  char xml_file[CEL_PATH_MAX], main_body[CEL_TEXT_MAX];
  int64_t frame_skip;
  double forward_reward_weight, ctrl_cost_weight, contact_cost_weight, healthy_reward;
  double reset_noise_scale, uph_cost_weight, impact_cost_weight;
  double reward_near_weight, reward_dist_weight, reward_control_weight;
  CelInterval healthy_state_range, healthy_z_range, healthy_angle_range;
  CelInterval contact_force_range, contact_cost_range, impact_cost_range;
  bool terminate_when_unhealthy, exclude_current_positions_from_observation, use_contact_forces;
  bool include_cfrc_ext_in_observation, include_cinert_in_observation, include_cvel_in_observation,
      include_qfrc_actuator_in_observation;
} CeliArguments;

#define CELI_ROW(field, kind, text, low, high, units, help)                                        \
  {                                                                                                \
    .name = #field, .type = kind, .offset = offsetof(CeliArguments, field), .def = text,           \
    .min = low, .max = high, .unit = units, .doc = help                                            \
  }
#define CELI_NUMBER(name, def, doc) CELI_ROW(name, CEL_FIELD_DOUBLE, def, -1e9, 1e9, "", doc)
#define CELI_INTERVAL(name, def, unit, doc)                                                        \
  CELI_ROW(name, CEL_FIELD_INTERVAL, def, -1e9, 1e9, unit, doc)
#define CELI_SWITCH(name, def, doc) CELI_ROW(name, CEL_FIELD_BOOL, def, 0, 0, "", doc)

#define CELI_XML_FILE                                                                              \
  CELI_ROW(xml_file, CEL_FIELD_PATH, "", 0, 0, "FILE",                                             \
           "model file (MJCF); empty: the task's own; a name without a folder may be one of "      \
           "Gymnasium's models")
#define CELI_FRAME_SKIP(def)                                                                       \
  CELI_ROW(frame_skip, CEL_FIELD_INT, def, 1, 1000, "steps", "MuJoCo's steps per environment step")
#define CELI_MAIN_BODY                                                                             \
  CELI_ROW(main_body, CEL_FIELD_STRING, "1", 0, 0, "BODY",                                         \
           "name or number of the body whose velocity is rewarded")
#define CELI_FORWARD(def) CELI_NUMBER(forward_reward_weight, def, "weight of the forward velocity")
#define CELI_CTRL(def) CELI_NUMBER(ctrl_cost_weight, def, "weight of the squared actions' cost")
#define CELI_CONTACT(def)                                                                          \
  CELI_NUMBER(contact_cost_weight, def, "weight of the contact forces' cost")
#define CELI_HEALTHY(def) CELI_NUMBER(healthy_reward, def, "reward for each healthy step")
#define CELI_TERMINATE                                                                             \
  CELI_SWITCH(terminate_when_unhealthy, "true", "end the episode when the robot is not healthy")
#define CELI_STATE_RANGE(def)                                                                      \
  CELI_INTERVAL(healthy_state_range, def, "",                                                      \
                "healthy positions and velocities after the first "                                \
                "two positions")
#define CELI_Z_RANGE(def) CELI_INTERVAL(healthy_z_range, def, "m", "healthy heights")
#define CELI_ANGLE_RANGE(def) CELI_INTERVAL(healthy_angle_range, def, "rad", "healthy angles")
#define CELI_FORCE_RANGE(def)                                                                      \
  CELI_INTERVAL(contact_force_range, def, "N", "contact forces are clipped to this interval")
#define CELI_COST_RANGE(def)                                                                       \
  CELI_INTERVAL(contact_cost_range, def, "", "the contact forces' cost is clipped to this interval")
#define CELI_NOISE(def)                                                                            \
  CELI_ROW(reset_noise_scale, CEL_FIELD_DOUBLE, def, 0, 1e3, "",                                   \
           "size of the noise of initial positions and velocities")
#define CELI_EXCLUDE                                                                               \
  CELI_SWITCH(exclude_current_positions_from_observation, "true",                                  \
              "leave out the position on the ground, which does not matter to the task")
#define CELI_CONTACT_FORCES                                                                        \
  CELI_SWITCH(use_contact_forces, "false", "observe contact forces and subtract their cost")
#define CELI_CFRC_EXT                                                                              \
  CELI_SWITCH(include_cfrc_ext_in_observation, "true", "observe the external forces on the bodies")
#define CELI_CINERT                                                                                \
  CELI_SWITCH(include_cinert_in_observation, "true", "observe masses and inertias of the bodies")
#define CELI_CVEL                                                                                  \
  CELI_SWITCH(include_cvel_in_observation, "true", "observe velocities of the bodies")
#define CELI_QFRC_ACTUATOR                                                                         \
  CELI_SWITCH(include_qfrc_actuator_in_observation, "true", "observe the actuators' forces")

#endif
