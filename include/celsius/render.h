/// Pictures of an agent in its environment: animated GIFs and single frames.
#ifndef CELSIUS_RENDER_H
#define CELSIUS_RENDER_H
#include "celsius/agent.h"
#include "celsius/canvas.h"
#include "celsius/env.h"
CEL_BEGIN

/// How to draw; table: cel_render_fields.
typedef struct CelRenderOptions {
  int64_t episodes;   ///< shown one after another
  int64_t max_frames; ///< at most as many pictures
  int64_t size;       ///< pixels of the square picture's side
  double fps;         ///< pictures a second; 0: the environment's own pace, kept within 20 to 30
  bool overlay;       ///< step and return as text
} CelRenderOptions;
CEL_API CelRenderOptions cel_render_options_default(void);
CEL_API const CelField *cel_render_fields(void);

/// Writes a looping GIF of deterministic episodes; episode i starts as in cel_evaluate, from stream
/// (seed, CEL_RNG_EVAL, i). The agent is not changed. `options` NULL: the defaults.
/// Errors: CEL_E_UNSUPPORTED (an environment without pictures; built without cairo or giflib), CEL_E_SHAPE (not this
/// environment's agent), CEL_E_RANGE, CEL_E_IO (the old file stays), CEL_E_NAN, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_render_gif(const char *path, CelAgent *agent, const CelEnvSpec *spec,
                                 uint64_t seed, const CelRenderOptions *options) CEL_WARN_UNUSED;
/// Writes one state (state_size,) of an environment as a PNG, size x size pixels.
/// Errors: CEL_E_UNSUPPORTED, CEL_E_RANGE, CEL_E_IO, CEL_E_MEMORY. Allocates: yes.
CEL_API CelStatus cel_render_png(const char *path, const CelEnvSpec *spec, const double *state,
                                 int64_t size) CEL_WARN_UNUSED;
/// Draws a canvas of your own as a PNG. Errors: as cel_render_png.
CEL_API CelStatus cel_canvas_png(const char *path, const CelCanvas *canvas,
                                 int64_t size) CEL_WARN_UNUSED;

CEL_END
#endif
