/// Celsius: maximum-entropy reinforcement learning in C. Everything public.
#ifndef CELSIUS_CELSIUS_H
#define CELSIUS_CELSIUS_H
#include "celsius/agent.h"
#include "celsius/canvas.h"
#include "celsius/env.h"
#include "celsius/export.h"
#include "celsius/field.h"
#include "celsius/info.h"
#include "celsius/lqr.h"
#include "celsius/plot.h"
#include "celsius/policy.h"
#include "celsius/render.h"
#include "celsius/rng.h"
#include "celsius/sac.h"
#include "celsius/safetensors.h"
#include "celsius/setup.h"
#include "celsius/space.h"
#include "celsius/status.h"
#include "celsius/tensors.h"
#include "celsius/train.h"
#include "celsius/version.h"
#include "celsius/yaml.h"
#endif
