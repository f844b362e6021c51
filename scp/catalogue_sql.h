/* catalogue_sql.h - private to catalogue.c and catalogue_read.c: the columns that hold struct
 * instance_info.
 *
 * One line per column: kind, column name, member. CREATE, INSERT and SELECT are made from this list
 * at compile time, and one loop over catalogue_columns[] binds or reads a row, so a new member is
 * one new line (and a new schema version). */
#ifndef CATALOGUE_SQL_H
#define CATALOGUE_SQL_H

#include "catalogue.h"
#include "store_sql.h"

#define CATALOGUE_COLUMNS(X)                                                                       \
	X(TEXT, sop_class_uid, sop_class_uid)                                                      \
	X(TEXT, sop_instance_uid, sop_instance_uid)                                                \
	X(TEXT, study_instance_uid, study_instance_uid)                                            \
	X(TEXT, series_instance_uid, series_instance_uid)                                          \
	X(TEXT, frame_of_reference_uid, frame_of_reference_uid)                                    \
	X(TEXT, patient_id, patient_id)                                                            \
	X(TEXT, patient_issuer, patient_issuer)                                                    \
	X(TEXT, patient_name, patient_name)                                                        \
	X(TEXT, patient_birth_date, patient_birth_date)                                            \
	X(TEXT, modality, modality)                                                                \
	X(TEXT, series_description, series_description)                                            \
	X(TEXT, protocol_name, protocol_name)                                                      \
	X(TEXT, sequence_name, sequence_name)                                                      \
	X(TEXT, manufacturer, manufacturer)                                                        \
	X(TEXT, station_name, station_name)                                                        \
	X(INTEGER, series_number, series_number)                                                   \
	X(INTEGER, instance_number, instance_number)                                               \
	X(TEXT, acquisition_datetime, acquisition_datetime)                                        \
	X(TEXT, utc_offset, utc_offset)                                                            \
	X(TEXT, content_datetime, content_datetime)                                                \
	X(INTEGER, rows, rows)                                                                     \
	X(INTEGER, columns, columns)                                                               \
	X(INTEGER, frames, frames)                                                                 \
	X(REAL, position_x_mm, position_mm[0])                                                     \
	X(REAL, position_y_mm, position_mm[1])                                                     \
	X(REAL, position_z_mm, position_mm[2])                                                     \
	X(REAL, orientation_0, orientation[0])                                                     \
	X(REAL, orientation_1, orientation[1])                                                     \
	X(REAL, orientation_2, orientation[2])                                                     \
	X(REAL, orientation_3, orientation[3])                                                     \
	X(REAL, orientation_4, orientation[4])                                                     \
	X(REAL, orientation_5, orientation[5])                                                     \
	X(REAL, row_spacing_mm, pixel_spacing_mm[0])                                               \
	X(REAL, column_spacing_mm, pixel_spacing_mm[1])                                            \
	X(REAL, slice_thickness_mm, slice_thickness_mm)                                            \
	X(INTEGER, component, component)                                                           \
	X(INTEGER, lossy, lossy)                                                                   \
	X(REAL, te_ms, te_ms)                                                                      \
	X(REAL, tr_ms, tr_ms)                                                                      \
	X(REAL, flip_deg, flip_deg)                                                                \
	X(REAL, field_strength_t, field_strength_t)                                                \
	X(INTEGER, images_in_acquisition, images_in_acquisition)                                   \
	X(TEXT, scanning_sequence, scanning_sequence)                                              \
	X(TEXT, receive_coil, receive_coil)                                                        \
	X(TEXT, contrast_agent, contrast_agent)                                                    \
	X(TEXT, referenced_series_uid, referenced_series_uid)                                      \
	X(TEXT, evidence_hash, evidence_hash)

#define CATALOGUE_COLUMN_DEFINITION(kind, column, member) ", " #column " " #kind
#define CATALOGUE_COLUMN_NAME(kind, column, member)	  ", " #column
#define CATALOGUE_COLUMN_OF_I(kind, column, member)	  ", i." #column
#define CATALOGUE_COLUMN_PLACE(kind, column, member)	  ", ?"

/* Columns before the list in every SELECT of whole instances: 0 id, 1 series_id, 2 path, 3 log, 4
 * data_offset, 5 data_size, 6 transfer_syntax_uid, 7 received_s; the list follows from
 * CATALOGUE_FIRST_COLUMN on. */
#define CATALOGUE_SELECT                                                                           \
	"SELECT i.id, i.series_id, i.path, i.log, i.data_offset, i.data_size, "                    \
	"i.transfer_syntax_uid, i.received_s" CATALOGUE_COLUMNS(CATALOGUE_COLUMN_OF_I)
#define CATALOGUE_FIRST_COLUMN 8

enum catalogue_column_kind { CATALOGUE_TEXT, CATALOGUE_INTEGER, CATALOGUE_REAL };

struct catalogue_column {
	enum catalogue_column_kind kind;
	size_t offset, size; /* of the member in struct instance_info */
};
extern const struct catalogue_column catalogue_columns[];
extern const int catalogue_n_columns;

#endif
