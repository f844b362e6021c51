/* dosimetry_warp.c - scans that lie on the baseline by a deformation (deformation.h) rather than by
 * a rigid transform alone.
 *
 * D takes a point of the scan to the baseline's point of the same tissue. So at a voxel of the scan
 *
 *   - R2*, S0 and standard errors are those of the baseline at D(x);
 *   - a mark (artefact, dark, void) is that of the baseline's voxel nearest to D(x), grown by what
 *     the deformation left (residual_mm), as in the rigid case;
 *   - liver and parts: the share of the voxel, cut in points, that D puts inside them; the voxel is
 *     taken as stretched evenly (u to first order);
 *
 * and a voxel of the result, which the baseline's own transform puts at b, holds
 *
 *   c(x) / J(x)   with D(x) = b and J the Jacobian determinant of D at x
 *
 * because the microspheres of a piece of tissue stay the same while its volume changes: sums over
 * the liver are the same on both grids. Where the inverse is not found, or the field changes
 * volumes by more than it may (outside the region that it was found in), there is no value. */
#include "dosimetry_warp.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "resample.h"

#define ROWS_PER_PIECE	   16
#define RIGID_TOLERANCE_MM 0.01

static const struct grid millimetres = {
    .column_step_mm = {1, 0, 0}, .row_step_mm = {0, 1, 0}, .slice_step_mm = {0, 0, 1}};

/* Point of a frame, moved by a rigid transform -> voxel of a grid in the frame it leads to. */
struct affine {
	double matrix[3][3], offset[3];
};

static void find_affine(struct affine *affine, const struct grid *grid,
			const double rigid[RIGID_SIZE])
{
	double per_mm[3][3], offset[3];
	grid_map(&millimetres, grid, per_mm, offset);
	for (int a = 0; a < 3; a++) {
		affine->offset[a] = offset[a];
		for (int b = 0; b < 3; b++) {
			affine->offset[a] += per_mm[a][b] * rigid[4 * b + 3];
			affine->matrix[a][b] = 0;
			for (int c = 0; c < 3; c++)
				affine->matrix[a][b] += per_mm[a][c] * rigid[4 * c + b];
		}
	}
}

static void turn(double out[3], const struct affine *affine, const double vector[3])
{
	for (int a = 0; a < 3; a++)
		out[a] = affine->matrix[a][0] * vector[0] + affine->matrix[a][1] * vector[1] +
			 affine->matrix[a][2] * vector[2];
}

static void place_in(double voxel[3], const struct affine *affine, const double point_mm[3])
{
	turn(voxel, affine, point_mm);
	for (int a = 0; a < 3; a++)
		voxel[a] += affine->offset[a];
}

static size_t index_of(const struct grid *grid, int i, int j, int k)
{
	return ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns + (size_t)i;
}

/* False outside the grid. */
static bool nearest(size_t *voxel, const struct grid *grid, const double place[3])
{
	const double size[3] = {grid->columns, grid->rows, grid->slices};
	for (int a = 0; a < 3; a++) {
		if (!(place[a] >= -0.5 && place[a] < size[a] - 0.5))
			return false;
	}
	*voxel =
	    index_of(grid, (int)(place[0] + 0.5), (int)(place[1] + 0.5), (int)(place[2] + 0.5));
	return true;
}

enum status_code dosimetry_warp_check(const struct dosimetry_scan *scan,
				      const struct dosimetry_input *input, struct status *st)
{
	const struct grid *grid = &scan->map->r2star_per_s.grid;
	struct grid by_transforms, by_deformation;
	dosimetry_move_to_baseline(&by_transforms, scan, input);
	rigid_move_grid(&by_deformation, grid, scan->deformation->rigid,
			by_transforms.frame_of_reference);
	if (!grid_same(&by_transforms, &by_deformation, RIGID_TOLERANCE_MM))
		return status_fail(
		    st, STATUS_BUG,
		    "the deformation of the series after injection %d does not stand "
		    "on its rigid transform",
		    scan->after_injection);
	return STATUS_OK;
}

/* ---- the baseline as a scan sees it ---- */

struct looking {
	struct deformation_view view;
	struct affine to_baseline; /* displaced point of the scan -> voxel of the baseline */
	const struct grid *scan, *baseline;
	const struct resample_packed *from;
	packed_values *values;
	const uint8_t *from_marks;
	uint8_t *marks;
};

static void look_in(struct looking *looking, const struct dosimetry_scan *scan,
		    const struct grid *baseline)
{
	*looking = (struct looking){.scan = &scan->map->r2star_per_s.grid, .baseline = baseline};
	deformation_view_of(&looking->view, scan->deformation);
	find_affine(&looking->to_baseline, baseline, scan->deformation->rigid);
}

static void find_place(double place[3], const struct looking *looking, size_t row, int i)
{
	const struct grid *grid = looking->scan;
	const double voxel[3] = {i, (double)(row % (size_t)grid->rows),
				 (double)(row / (size_t)grid->rows)};
	double point_mm[3], shift_mm[3];
	grid_to_patient(grid, voxel, point_mm);
	deformation_view_displacement(shift_mm, NULL, &looking->view, point_mm);
	for (int a = 0; a < 3; a++)
		point_mm[a] += shift_mm[a];
	place_in(place, &looking->to_baseline, point_mm);
}

static void look_rows(void *user, size_t first, size_t last)
{
	const struct looking *looking = user;
	const int columns = looking->scan->columns;
	struct resample_way way = {.matrix = {{0}}}; /* to one place, whatever the column */
	for (size_t row = first; row < last; row++) {
		for (int i = 0; i < columns; i++) {
			find_place(way.offset, looking, row, i);
			looking->values[row * (size_t)columns + (size_t)i] =
			    resample_packed_at(looking->from, &way, 0, 0, 0);
		}
	}
}

enum status_code dosimetry_warp_baseline(struct resample_packed *warped,
					 const struct dosimetry_baseline_map *baseline,
					 const struct dosimetry_scan *scan, int threads,
					 struct status *st)
{
	struct looking looking;
	look_in(&looking, scan, &baseline->packed.grid);
	const struct grid *grid = looking.scan;
	const size_t voxels = grid_voxels(grid);
	looking.from = &baseline->packed;
	looking.values = malloc(voxels * sizeof *looking.values);
	if (!looking.values)
		return status_fail(st, STATUS_RETRY, "no memory for a baseline of %zu voxels",
				   voxels);
	parallel_for((size_t)grid->rows * (size_t)grid->slices, ROWS_PER_PIECE, threads, look_rows,
		     &looking);
	*warped = (struct resample_packed){
	    .grid = *grid,
	    .last = {grid->columns - 1, grid->rows - 1, grid->slices - 1},
	    .samples = looking.values,
	};
	return STATUS_OK;
}

static void mark_rows(void *user, size_t first, size_t last)
{
	const struct looking *looking = user;
	const int columns = looking->scan->columns;
	double place[3];
	for (size_t row = first; row < last; row++) {
		for (int i = 0; i < columns; i++) {
			size_t v;
			find_place(place, looking, row, i);
			looking->marks[row * (size_t)columns + (size_t)i] =
			    nearest(&v, looking->baseline, place) ? looking->from_marks[v]
								  : DOSIMETRY_MARK_OUTSIDE;
		}
	}
}

void dosimetry_warp_marks(uint8_t *marks, const uint8_t *from, const struct grid *baseline,
			  const struct dosimetry_scan *scan, int threads)
{
	struct looking looking;
	look_in(&looking, scan, baseline);
	looking.from_marks = from;
	looking.marks = marks;
	parallel_for((size_t)looking.scan->rows * (size_t)looking.scan->slices, ROWS_PER_PIECE,
		     threads, mark_rows, &looking);
}

/* ---- regions of the result as a scan sees them ---- */

struct region_carrying {
	struct deformation_view view;
	struct affine to_result; /* displaced point of the scan -> voxel of the result */
	const struct grid *scan, *result;
	const struct mask *const *from;
	struct mask *const *to;
	int count, sub;
	int first[3], last[3]; /* voxels of the result that any of the masks covers */
};

/* A voxel of the scan: where its middle falls in the result grid, and its edges as they lie there.
 * False where no mask can be near. */
static bool find_parallelepiped(double middle[3], double edge[3][3],
				const struct region_carrying *carrying, const double voxel[3])
{
	const double *step_mm[3] = {carrying->scan->column_step_mm, carrying->scan->row_step_mm,
				    carrying->scan->slice_step_mm};
	double point_mm[3], shift_mm[3], gradient[3][3], along_mm[3];
	grid_to_patient(carrying->scan, voxel, point_mm);
	deformation_view_displacement(shift_mm, gradient, &carrying->view, point_mm);
	for (int a = 0; a < 3; a++)
		point_mm[a] += shift_mm[a];
	place_in(middle, &carrying->to_result, point_mm);
	for (int b = 0; b < 3; b++) {
		for (int a = 0; a < 3; a++)
			along_mm[a] = step_mm[b][a] + gradient[a][0] * step_mm[b][0] +
				      gradient[a][1] * step_mm[b][1] +
				      gradient[a][2] * step_mm[b][2];
		turn(edge[b], &carrying->to_result, along_mm);
	}
	for (int a = 0; a < 3; a++) {
		double half = (fabs(edge[0][a]) + fabs(edge[1][a]) + fabs(edge[2][a])) / 2 + 0.5;
		if (middle[a] < carrying->first[a] - half || middle[a] > carrying->last[a] + half)
			return false;
	}
	return true;
}

static void share_out(const struct region_carrying *carrying, size_t to, const double middle[3],
		      double edge[3][3])
{
	const int sub = carrying->sub;
	const float share = 1.0F / (float)(sub * sub * sub);
	for (int p = 0; p < sub * sub * sub; p++) {
		const double part[3] = {(p % sub + 0.5) / sub - 0.5,
					(p / sub % sub + 0.5) / sub - 0.5,
					(p / sub / sub + 0.5) / sub - 0.5};
		double place[3];
		size_t v;
		for (int a = 0; a < 3; a++)
			place[a] = middle[a] + part[0] * edge[0][a] + part[1] * edge[1][a] +
				   part[2] * edge[2][a];
		if (!nearest(&v, carrying->result, place))
			continue;
		for (int m = 0; m < carrying->count; m++)
			carrying->to[m]->coverage[to] += share * carrying->from[m]->coverage[v];
	}
}

static void carry_region_rows(void *user, size_t first, size_t last)
{
	const struct region_carrying *carrying = user;
	const struct grid *grid = carrying->scan;
	double middle[3], edge[3][3];
	for (size_t row = first; row < last; row++) {
		for (int i = 0; i < grid->columns; i++) {
			const double voxel[3] = {i, (double)(row % (size_t)grid->rows),
						 (double)(row / (size_t)grid->rows)};
			if (find_parallelepiped(middle, edge, carrying, voxel))
				share_out(carrying, row * (size_t)grid->columns + (size_t)i, middle,
					  edge);
		}
	}
}

void dosimetry_warp_masks(struct mask *const *to, const struct mask *const *from, int count,
			  int sub, const struct dosimetry_scan *scan,
			  const struct dosimetry_input *input, int threads)
{
	struct region_carrying carrying = {.scan = &scan->map->r2star_per_s.grid,
					   .result = input->result_grid,
					   .from = from,
					   .to = to,
					   .count = count,
					   .sub = sub};
	double to_result[RIGID_SIZE];
	rigid_identity(to_result);
	if (input->baseline.to_result)
		rigid_invert(to_result, input->baseline.to_result);
	rigid_compose(to_result, to_result, scan->deformation->rigid);
	find_affine(&carrying.to_result, input->result_grid, to_result);
	deformation_view_of(&carrying.view, scan->deformation);
	for (int a = 0; a < 3; a++) {
		carrying.first[a] = INT_MAX;
		carrying.last[a] = -1;
		for (int m = 0; m < count; m++) {
			if (from[m]->last[a] < from[m]->first[a])
				continue;
			if (from[m]->first[a] < carrying.first[a])
				carrying.first[a] = from[m]->first[a];
			if (from[m]->last[a] > carrying.last[a])
				carrying.last[a] = from[m]->last[a];
		}
	}
	parallel_for((size_t)carrying.scan->rows * (size_t)carrying.scan->slices, ROWS_PER_PIECE,
		     threads, carry_region_rows, &carrying);
	for (int m = 0; m < count; m++)
		mask_update_bounds(to[m]);
}

/* ---- from the result back to a scan ---- */

void dosimetry_warp_find_way(struct dosimetry_warp_way *way, const struct dosimetry_scan *scan,
			     const struct dosimetry_input *input)
{
	dosimetry_move_grid(&way->result, input->result_grid, &input->baseline);
	deformation_view_of(&way->view, scan->deformation);
	grid_map(&millimetres, &scan->map->r2star_per_s.grid, way->per_mm, way->offset);
}

bool dosimetry_warp_back(double place[3], double *jacobian, const struct dosimetry_warp_way *way,
			 const double voxel[3], double shift_mm[3])
{
	double baseline_mm[3], scan_mm[3];
	grid_to_patient(&way->result, voxel, baseline_mm);
	if (!deformation_view_invert(scan_mm, jacobian, &way->view, baseline_mm, shift_mm))
		return false;
	for (int a = 0; a < 3; a++)
		place[a] = way->offset[a] + way->per_mm[a][0] * scan_mm[0] +
			   way->per_mm[a][1] * scan_mm[1] + way->per_mm[a][2] * scan_mm[2];
	return true;
}

struct delta_carrying {
	struct dosimetry_warp_way way;
	const struct volume *delta;
	struct volume *to;
};

static void carry_delta_rows(void *user, size_t first, size_t last)
{
	const struct delta_carrying *carrying = user;
	const struct grid *grid = &carrying->way.result;
	for (size_t row = first; row < last; row++) {
		/* u goes on from the two voxels before as a straight line, to begin with */
		double shift_mm[3] = {0, 0, 0}, before_mm[3] = {0, 0, 0};
		for (int i = 0; i < grid->columns; i++) {
			const double voxel[3] = {i, (double)(row % (size_t)grid->rows),
						 (double)(row / (size_t)grid->rows)};
			double place[3], jacobian;
			for (int a = 0; a < 3; a++) {
				double last_mm = shift_mm[a];
				shift_mm[a] += i > 1 ? last_mm - before_mm[a] : 0;
				before_mm[a] = last_mm;
			}
			if (dosimetry_warp_back(place, &jacobian, &carrying->way, voxel, shift_mm))
				carrying->to->samples[row * (size_t)grid->columns + (size_t)i] =
				    resample_point(carrying->delta, place) / (float)jacobian;
			else
				memcpy(shift_mm, before_mm, sizeof shift_mm);
		}
	}
}

enum status_code dosimetry_warp_delta(struct volume *carried, const struct volume *delta_per_s,
				      const struct dosimetry_scan *scan,
				      const struct dosimetry_input *input, int threads,
				      struct status *st)
{
	struct delta_carrying carrying = {.delta = delta_per_s, .to = carried};
	if (volume_new(carried, input->result_grid, NAN, st) != STATUS_OK)
		return st->code;
	dosimetry_warp_find_way(&carrying.way, scan, input);
	parallel_for((size_t)input->result_grid->rows * (size_t)input->result_grid->slices,
		     ROWS_PER_PIECE, threads, carry_delta_rows, &carrying);
	return STATUS_OK;
}
