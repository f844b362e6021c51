/* dataset_impl.hh - the inside of struct dataset, for the C++ files of the wall only.
 *
 * Every dcmdata header is named here. DCMTK itself throws nothing, but the standard library below
 * it does: each entry of the wall runs its body inside guard(), which turns an exception into a
 * status, so that none crosses into C. */
#ifndef DATASET_IMPL_HH
#define DATASET_IMPL_HH

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcdicent.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcspchrs.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dcwcache.h>

#include <exception>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "dataset.h"

struct dataset {
	DcmFileFormat file;
	/* Top-level elements by rising tag, made at the first look-up: DCMTK walks a list for each.
	 * Empty: not made. */
	std::vector<std::pair<uint32_t, DcmElement *>> index;
};

/* The way to the data set for everything that may add, replace or remove elements. */
inline DcmDataset *dataset_edit(struct dataset *ds)
{
	ds->index.clear();
	return ds->file.getDataset();
}

template <typename Body> enum status_code guard(struct status *st, Body body) noexcept
{
	try {
		return body();
	} catch (const std::bad_alloc &) {
		return status_fail(st, STATUS_RETRY,
				   "out of memory while handling a DICOM data set");
	} catch (const std::exception &fault) {
		return status_fail(st, STATUS_BUG, "DICOM data set: %s", fault.what());
	} catch (...) {
		return status_fail(st, STATUS_BUG, "DICOM data set: unknown exception");
	}
}

inline DcmTagKey tag_key(uint32_t tag)
{
	return DcmTagKey(static_cast<Uint16>(tag >> 16), static_cast<Uint16>(tag & 0xFFFF));
}

/* "(0028,0010) Rows" for messages. */
std::string tag_text(uint32_t tag);

/* The item that holds the last tag of the path; NULL when a sequence or item on the way is absent.
 */
DcmItem *path_item(const struct dataset *ds, const struct dataset_path &path);

/* The element itself; NULL when absent. */
DcmElement *path_element(const struct dataset *ds, const struct dataset_path &path);

/* Raw characters of a text element, borrowed from it; false for binary ones. */
bool element_raw_text(DcmElement *element, const char *&text, size_t &length);

/* True when the text can only be read with the character set. */
bool element_needs_character_set(DcmElement *element);

/* Text of one element as UTF-8 in the character set of the data set; "" where the element holds no
 * text. */
std::string element_utf8(DcmElement *element, const std::string &character_set);

/* Specific Character Set of the data set as written, without padding. */
std::string character_set_of(DcmItem *item);

/* Recodes every text inside an element, items included, to UTF-8. */
void element_recode(DcmElement *element, const std::string &character_set);

/* Pixel data that DCMTK can decode are decoded in place; native ones stay. */
enum status_code pixels_decode(struct dataset *ds, struct status *st);

#endif
