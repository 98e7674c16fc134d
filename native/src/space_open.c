/* Reads the density of the latents from a file, and computes what its covariance says of steps. */
#include "space.h"

int cholesky(double *matrix, int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) {
      double sum = matrix[(size_t)i * (size_t)n + (size_t)j];
      for (int k = 0; k < j; k++) sum -= matrix[(size_t)i * (size_t)n + (size_t)k] * matrix[(size_t)j * (size_t)n + (size_t)k];
      if (i == j && !(sum > 0.0 && sum < 1e300)) return 0;
      matrix[(size_t)i * (size_t)n + (size_t)j] = i == j ? ts_sqrt(sum) : sum / matrix[(size_t)j * (size_t)n + (size_t)j];
    }
  for (int i = 0; i < n; i++)
    for (int j = i + 1; j < n; j++) matrix[(size_t)i * (size_t)n + (size_t)j] = 0.0;
  return 1;
}

void cholesky_solve(const double *factor, int n, double *b) {
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < i; k++) b[i] -= factor[(size_t)i * (size_t)n + (size_t)k] * b[k];
    b[i] /= factor[(size_t)i * (size_t)n + (size_t)i];
  }
  for (int i = n - 1; i >= 0; i--) {
    for (int k = i + 1; k < n; k++) b[i] -= factor[(size_t)k * (size_t)n + (size_t)i] * b[k];
    b[i] /= factor[(size_t)i * (size_t)n + (size_t)i];
  }
}

/* Whether the diagonals of `count` factors are positive. */
static int lower_factors(const float *factors, size_t count, int dims) {
  for (size_t one = 0; one < count; one++, factors += (size_t)dims * (size_t)dims)
    for (int i = 0; i < dims; i++)
      if (!(factors[(size_t)i * (size_t)dims + (size_t)i] > 1e-12f)) return 0;
  return 1;
}

/* The pooled covariance; then, in its place, that of the free entries given the `known` last ones. leaving: slopes of all on these. */
static int conditional(const Space *space, double *covariance, float *leaving) {
  int dims = space->dims, known = space->model->known, free = dims - known;
  for (int i = 0; i < dims; i++)
    for (int j = 0; j < dims; j++) {
      double sum = 0.0;
      for (int k = 0; k < dims; k++) sum += (double)space->shared[(size_t)i * (size_t)dims + (size_t)k] * (double)space->shared[(size_t)j * (size_t)dims + (size_t)k];
      covariance[(size_t)i * (size_t)dims + (size_t)j] = sum;
    }
  if (known == 0) return 1;
  double own[4];
  for (int i = 0; i < known; i++)
    for (int j = 0; j < known; j++) own[i * known + j] = covariance[(size_t)(free + i) * (size_t)dims + (size_t)(free + j)];
  if (!cholesky(own, known)) return 0;
  for (int i = 0; i < dims; i++) {
    double slope[2];
    for (int k = 0; k < known; k++) slope[k] = covariance[(size_t)i * (size_t)dims + (size_t)(free + k)];
    cholesky_solve(own, known, slope);
    for (int k = 0; k < known; k++) leaving[(size_t)k * (size_t)dims + (size_t)i] = (float)slope[k];
  }
  for (int i = 0; i < free; i++) {
    double slope[2];
    for (int k = 0; k < known; k++) slope[k] = covariance[(size_t)i * (size_t)dims + (size_t)(free + k)];
    cholesky_solve(own, known, slope);
    for (int j = 0; j < free; j++)
      for (int k = 0; k < known; k++) covariance[(size_t)i * (size_t)dims + (size_t)j] -= slope[k] * covariance[(size_t)(free + k) * (size_t)dims + (size_t)j];
  }
  return 1;
}

/* Directions of steps: row r is the r-th column of the factor of the conditional covariance. */
static Status read_directions(Space *space, const File *file, Arena *arena) {
  int dims = space->dims, free = dims - space->model->known;
  float *leaving = TAKE(arena, float, (size_t)(space->model->known + 1) * (size_t)dims);
  double *directions = TAKE(arena, double, (size_t)free * (size_t)free);
  size_t used = arena->used;
  double *covariance = TAKE(arena, double, (size_t)dims * (size_t)dims), *factor = TAKE(arena, double, (size_t)free * (size_t)free);
  if (leaving == NULL || directions == NULL || covariance == NULL || factor == NULL) return TS_MEMORY;
  int fine = conditional(space, covariance, leaving);
  for (int i = 0; i < free; i++)
    for (int j = 0; j < free; j++) factor[(size_t)i * (size_t)free + (size_t)j] = covariance[(size_t)i * (size_t)dims + (size_t)j];
  if (!fine || !cholesky(factor, free)) return file_fault(file, TS_DAMAGED, "space.shared is no factor of a covariance; the file is damaged");
  for (int i = 0; i < free; i++)
    for (int j = 0; j < free; j++) directions[(size_t)j * (size_t)free + (size_t)i] = factor[(size_t)i * (size_t)free + (size_t)j];
  space->leaving = leaving;
  space->directions = directions;
  arena->used = used;
  return TS_OK;
}

Status space_open(Space **out, const File *file, const Model *model, Arena *arena) {
  Space *space = TAKE(arena, Space, 1);
  if (space == NULL) return TS_MEMORY;
  *space = (Space){.model = model, .dims = model->dims};
  if (file_tensor(file, "space.axes") != NULL) return file_fault(file, TS_UNCOVERED, "its latents have more than 256 numbers, played here are fewer");
  const Json *labels = json_entry(file->header, "labels");
  int64_t count = (int64_t)json_count(labels), dims = model->dims, shape[3] = {count, dims, dims};
  Status status = file_floats(file, "space.weights", 1, shape, 0.0f, 1.01f, &space->weights, arena);
  if (status == TS_OK) status = file_floats(file, "space.means", 2, shape, -1e5f, 1e5f, &space->means, arena);
  if (status == TS_OK) status = file_floats(file, "space.factors", 3, shape, -1e5f, 1e5f, &space->factors, arena);
  if (status == TS_OK) status = file_floats(file, "space.shared", 2, shape + 1, -1e5f, 1e5f, &space->shared, arena);
  if (status != TS_OK) return status;
  int32_t *categories = TAKE(arena, int32_t, count);
  if (categories == NULL) return TS_MEMORY;
  double sum = 0.0, diagonal = 0.0;
  for (int64_t k = 0; k < count; k++) {
    sum += (double)space->weights[k];
    categories[k] = category_of(file, json_item(labels, (size_t)k));
  }
  if (!(sum > 0.999 && sum < 1.001)) return file_fault(file, TS_DAMAGED, "the weights of the latent space do not sum to 1; the file is damaged");
  if (!lower_factors(space->factors, (size_t)count, (int)dims) || !lower_factors(space->shared, 1, (int)dims))
    return file_fault(file, TS_DAMAGED, "the covariances of the latent space are damaged");
  for (int64_t i = 0; i < dims; i++) diagonal += (double)space->shared[(size_t)i * (size_t)dims + (size_t)i];
  space->spread = (float)(diagonal / (double)dims * ts_sqrt((double)dims));
  space->components = (int)count, space->categories = categories, space->categories_count = (int)category_count(file);
  *out = space;
  return read_directions(space, file, arena);
}
