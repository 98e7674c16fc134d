/* Reads the decoder of `oneshot` (model/codec) from a file. */
#include "model.h"

typedef struct {
  int64_t dims, coefficients, attack, steps, width, depth, n_fft, hop, bands;
} Sizes;

static Status setting(const File *file, const char *path, int64_t low, int64_t high, int64_t otherwise, int64_t *out) {
  const Json *value = json_at(json_entry(file->header, "settings"), path);
  *out = otherwise;
  if (value == NULL) return TS_OK; /* its default */
  double number = json_number(value, -1.0);
  if (number >= (double)low && number <= (double)high && number == (double)(int64_t)number) {
    *out = (int64_t)number;
    return TS_OK;
  }
  return file_fault(file, TS_DAMAGED, "%s is damaged, allowed is %d to %d", path, low, high);
}

static Status read_sizes(const File *file, Model *model, Sizes *sizes) {
  const struct {
    const char *path;
    int64_t low, high, otherwise, *out;
  } wanted[] = {
      {"model.dims", 1, 512, 32, &sizes->dims},           {"model.coefficients", 1, 2048, 320, &sizes->coefficients},
      {"model.attack", 1, 512, 24, &sizes->attack},       {"model.steps", 2, 1024, 64, &sizes->steps},
      {"model.width", 8, 4096, 384, &sizes->width},       {"model.depth", 0, 16, 2, &sizes->depth},
      {"representation.n_fft", 64, 16384, 1024, &sizes->n_fft}, {"representation.hop", 16, 8192, 256, &sizes->hop},
      {"representation.bands", 8, 2048, 161, &sizes->bands},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    Status status = setting(file, wanted[i].path, wanted[i].low, wanted[i].high, wanted[i].otherwise, wanted[i].out);
    if (status != TS_OK) return status;
  }
  int64_t rate, channels, samples;
  if (!json_whole(json_entry(file->header, "sample_rate"), 8000, 192000, &rate) ||
      !json_whole(json_entry(file->header, "channels"), 1, 2, &channels) ||
      !json_whole(json_entry(file->header, "samples"), 1, 60 * rate, &samples))
    return file_fault(file, TS_DAMAGED, "sample_rate, channels or samples are damaged");
  double floor = json_number(json_at(file->header, "settings.representation.floor"), 80.0);
  if (!(floor > 0.0 && floor <= 400.0)) return file_fault(file, TS_DAMAGED, "representation.floor is damaged, allowed is up to 400 dB");
  if (sizes->bands > sizes->n_fft / 2 + 1 || sizes->n_fft % sizes->hop || sizes->hop > sizes->n_fft / 2)
    return file_fault(file, TS_DAMAGED, "hop or bands do not fit n_fft; the file is damaged");
  model->sample_rate = (int)rate, model->channels = model->parts = (int)channels, model->samples = samples;
  model->hop = (int)sizes->hop, model->floor = (float)floor, model->frames = 1 + samples / sizes->hop;
  int64_t cells = channels * sizes->bands;
  if (model->frames * (cells > 1024 ? cells : 1024) > INT64_C(1) << 26)
    return file_fault(file, TS_DAMAGED, "its clips of %d samples have %d frames, more than any instrument", samples, model->frames);
  return TS_OK;
}

/* A pair of rising numbers, null or "auto". Returns whether there is one. */
static Status read_range(const File *file, const char *path, double least, double most, int *has, double *low, double *high) {
  const Json *value = json_at(json_entry(file->header, "settings"), path);
  *has = json_kind(value) == JSON_ARRAY;
  if (json_kind(value) == JSON_NULL || json_is(value, "auto")) return TS_OK;
  *low = json_number(json_item(value, 0), -1.0), *high = json_number(json_item(value, 1), -1.0);
  if (json_count(value) == 2 && *low >= least && *low < *high && *high <= most) return TS_OK;
  return file_fault(file, TS_DAMAGED, "%s is damaged, allowed are two rising numbers", path);
}

static Status read_grids(Model *model, const File *file, const Sizes *sizes, Arena *arena) {
  size_t room = (size_t)(sizes->attack + sizes->steps + 4);
  int32_t *edges = TAKE(arena, int32_t, room), *bands = TAKE(arena, int32_t, sizes->bands + 1);
  double *centres = TAKE(arena, double, sizes->bands);
  if (edges == NULL || bands == NULL || centres == NULL) return TS_MEMORY;
  int64_t steps = step_edges(model->frames, sizes->attack, sizes->steps, edges, room) - 1;
  int64_t count = band_edges(sizes->n_fft / 2 + 1, sizes->bands, bands, (size_t)sizes->bands + 1) - 1;
  if (steps < 1 || count < 2) return file_fault(file, TS_UNCOVERED, "its grids of %d steps and %d bands are not played here", steps, count);
  double width = (double)model->sample_rate / (double)sizes->n_fft;
  for (int64_t i = 0; i < count; i++) centres[i] = ((bands[i] - 0.5) * width + (bands[i + 1] - 0.5) * width) / 2;
  model->edges = edges, model->steps = (int)steps, model->bands = model->columns = (int)count, model->centres = centres;
  return TS_OK;
}

static Status read_norm(const File *file, const char *name, int width, const float **norm, Arena *arena) {
  char full[100];
  int64_t shape = width;
  text_format(full, sizeof full, "%s.weight", name);
  Status status = file_floats(file, full, 1, &shape, -1e6f, 1e6f, &norm[0], arena);
  text_format(full, sizeof full, "%s.bias", name);
  return status != TS_OK ? status : file_floats(file, full, 1, &shape, -1e6f, 1e6f, &norm[1], arena);
}

static Status read_network(Model *model, const File *file, Arena *arena) {
  char name[100];
  Status status = matrix_layer(&model->first, file, "model.decoder.first", model->inputs, model->width, arena);
  if (status == TS_OK) status = matrix_layer(&model->last, file, "model.decoder.last", model->width, model->coefficients + 1, arena);
  if (status == TS_OK) status = read_norm(file, "model.decoder.norm", model->width, model->norm, arena);
  model->blocks = TAKE(arena, Residual, model->depth + 1);
  if (model->blocks == NULL) return TS_MEMORY;
  for (int i = 0; i < model->depth && status == TS_OK; i++) {
    Residual *block = model->blocks + i;
    text_format(name, sizeof name, "model.decoder.blocks.%d.norm", (int64_t)i);
    status = read_norm(file, name, model->width, block->norm, arena);
    text_format(name, sizeof name, "model.decoder.blocks.%d.inner", (int64_t)i);
    if (status == TS_OK) status = matrix_layer(&block->inner, file, name, model->width, model->width, arena);
    text_format(name, sizeof name, "model.decoder.blocks.%d.outer", (int64_t)i);
    if (status == TS_OK) status = matrix_layer(&block->outer, file, name, model->width, model->width, arena);
  }
  return status;
}

static Status read_basis(Model *model, const File *file, Arena *arena) {
  int64_t cells = (int64_t)model->parts * model->steps * model->columns;
  int64_t outputs = (int64_t)model->parts * model->steps * model->stride;
  if (outputs > INT64_C(1) << 28) return file_fault(file, TS_UNCOVERED, "its images have %d cells, more than are played here", cells);
  Matrix *basis = &model->basis;
  if ((uint64_t)cells * (uint64_t)model->coefficients > file->size || outputs > INT64_C(8) * cells) /* before memory is taken for it */
    return file_fault(file, TS_DAMAGED, "model.basis does not fit its settings; the file is damaged");
  outputs = (outputs + BLOCK - 1) / BLOCK * BLOCK;
  int32_t *sources = TAKE(arena, int32_t, outputs);
  if (sources == NULL) return TS_MEMORY;
  for (int64_t i = 0; i < outputs; i++) sources[i] = -1;
  int32_t cell = 0; /* in the file: part, column, step */
  for (int part = 0; part < model->parts; part++)
    for (int column = 0; column < model->columns; column++)
      for (int step = 0; step < model->steps; step++) sources[(part * model->steps + step) * model->stride + column] = cell++;
  Status status = matrix_rows(basis, file, "model.basis", model->coefficients, (int)cells, sources, (int)outputs, arena);
  if (status == TS_OK) status = matrix_bias(basis, file, "model.mean", (int)cells, sources, -1e30f, arena);
  const Tensor *rest = file_tensor(file, "model.basis.rest");
  if (status != TS_OK || rest == NULL || basis->type != TS_I8) return status;
  int64_t rows = rest->axes == 2 ? rest->shape[0] : 0;
  if (rows < 1 || rows > model->coefficients) return file_fault(file, TS_DAMAGED, "model.basis.rest does not fit model.basis; the file is damaged");
  return matrix_rows(&model->rest, file, "model.basis.rest", (int)rows, (int)cells, sources, (int)outputs, arena);
}

static Status read_codec(Model *model, const File *file, Arena *arena) {
  int64_t coefficients = model->coefficients, dims[2] = {1, model->dims}, one = 1, two = 2;
  const float *values;
  Status status = file_floats(file, "model.scale", 1, &coefficients, -1e6f, 1e6f, &model->scale, arena);
  if (status == TS_OK && model->has_velocity)
    status = file_floats(file, "model.velocity_effect", 1, &coefficients, -1e6f, 1e6f, &model->velocity_effect, arena);
  if (status == TS_OK) status = file_floats(file, "model.length_path.weight", 2, dims, -1e6f, 1e6f, &model->length_weights, arena);
  if (status == TS_OK) status = file_floats(file, "model.length_path.bias", 1, &one, -1e6f, 1e6f, &values, arena);
  if (status != TS_OK) return status;
  model->length_bias = values[0];
  status = file_floats(file, "model.length_statistics", 1, &two, -1e6f, 1e6f, &values, arena);
  if (status != TS_OK) return status;
  model->length_mean = values[0], model->length_deviation = values[1];
  double sum = 0.0;
  for (int i = 0; i < model->coefficients; i++) sum += (double)(model->scale[i] * model->scale[i]);
  model->change = ts_sqrtf((float)(sum / model->coefficients));
  return TS_OK;
}

static Status check_family(const File *file) {
  const Json *settings = json_entry(file->header, "settings");
  char name[40];
  if (!json_is(json_at(settings, "model.name"), "oneshot")) {
    json_text(json_at(settings, "model.name"), name, sizeof name);
    return file_fault(file, TS_UNCOVERED, "its model is %s, played here is oneshot", name[0] ? name : "unknown");
  }
  if (!json_is(json_at(settings, "representation.name"), "bands")) {
    json_text(json_at(settings, "representation.name"), name, sizeof name);
    return file_fault(file, TS_UNCOVERED, "its representation is %s, played here is bands", name[0] ? name : "unknown");
  }
  const Json *normalisation = json_at(settings, "representation.normalisation");
  if (normalisation != NULL && !json_is(normalisation, "none")) return file_fault(file, TS_UNCOVERED, "its features are normalised, played here are levels");
  return TS_OK;
}

Status model_open(Model **out, const File *file, Arena *arena) {
  Model *model = TAKE(arena, Model, 1);
  if (model == NULL) return TS_MEMORY;
  *model = (Model){.dims = 0};
  Sizes sizes;
  Status status = check_family(file);
  if (status == TS_OK) status = read_sizes(file, model, &sizes);
  if (status == TS_OK)
    status = read_range(file, "model.notes", 0.0, 127.0, &model->has_notes, &model->notes.lowest, &model->notes.highest);
  if (status == TS_OK)
    status = read_range(file, "model.velocity", 1.0, 127.0, &model->has_velocity, &model->lowest_velocity, &model->highest_velocity);
  if (status != TS_OK) return status;
  model->dims = (int)sizes.dims, model->coefficients = (int)sizes.coefficients;
  model->width = (int)sizes.width, model->depth = (int)sizes.depth;
  model->known = model->has_notes + model->has_velocity;
  if (model->known >= model->dims || sizes.dims > sizes.coefficients) return file_fault(file, TS_DAMAGED, "model.dims is damaged");
  model->inputs = model->dims - model->known + (model->has_notes ? PITCH_FEATURES : 0) + model->has_velocity;
  status = read_grids(model, file, &sizes, arena);
  if (status == TS_OK && model->has_notes) status = harmonic_axis(model, file, arena);
  model->stride = (model->columns + LANES - 1) / LANES * LANES;
  if (status == TS_OK) status = read_network(model, file, arena);
  if (status == TS_OK) status = read_codec(model, file, arena);
  if (status == TS_OK) status = read_basis(model, file, arena);
  *out = model;
  return status;
}
