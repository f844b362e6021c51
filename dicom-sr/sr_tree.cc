#include "dataset_impl.hh"

#include <dcmtk/dcmsr/dsrdoctr.h>

#include <cmath>
#include <cstdio>
#include <memory>

#include "sr_tree.h"

struct sr_tree {
	DSRDocumentTree tree{DSRTypes::DT_Comprehensive3DSR};
	bool below = false; /* the next item becomes a child of the current one */
	struct status fault = STATUS_INIT;
};

static DSRTypes::E_RelationshipType relationship(enum sr_relation relation)
{
	switch (relation) {
	case SR_CONTAINS:
		return DSRTypes::RT_contains;
	case SR_HAS_OBS_CONTEXT:
		return DSRTypes::RT_hasObsContext;
	case SR_HAS_ACQ_CONTEXT:
		return DSRTypes::RT_hasAcqContext;
	case SR_HAS_CONCEPT_MOD:
		return DSRTypes::RT_hasConceptMod;
	case SR_HAS_PROPERTIES:
		return DSRTypes::RT_hasProperties;
	case SR_INFERRED_FROM:
		return DSRTypes::RT_inferredFrom;
	case SR_SELECTED_FROM:
		return DSRTypes::RT_selectedFrom;
	}
	return DSRTypes::RT_invalid;
}

static DSRCodedEntryValue coded(const struct code *code)
{
	return DSRCodedEntryValue(code->value, code->scheme, code->meaning);
}

/* Adds an item, names it and lets fill() set its value; the first fault is kept with the item's
 * name. */
template <typename Fill>
static void add(struct sr_tree *tree, enum sr_relation relation, DSRTypes::E_ValueType type,
		const struct code *name, Fill fill)
{
	if (tree->fault.code != STATUS_OK)
		return;
	guard(&tree->fault, [&] {
		const char *called = name ? name->meaning : "item without a name";
		DSRTypes::E_AddMode mode =
		    tree->below ? DSRTypes::AM_belowCurrent : DSRTypes::AM_afterCurrent;
		if (tree->tree.addContentItem(relationship(relation), type, mode) == 0)
			return status_fail(&tree->fault, STATUS_BUG,
					   "report: \"%s\" is not allowed where it was added",
					   called);
		tree->below = false;
		DSRContentItem &item = tree->tree.getCurrentContentItem();
		OFCondition done = name ? item.setConceptName(coded(name)) : EC_Normal;
		if (done.good())
			done = fill(item);
		if (done.bad())
			return status_fail(&tree->fault, STATUS_BUG,
					   "report: \"%s\" cannot be set: %s", called, done.text());
		return STATUS_OK;
	});
}

extern "C" enum status_code sr_tree_new(struct sr_tree **tree, const struct code *root,
					const char *template_id, struct status *st) noexcept
{
	return guard(st, [&] {
		std::unique_ptr<struct sr_tree> made(new struct sr_tree);
		made->tree.addContentItem(DSRTypes::RT_isRoot, DSRTypes::VT_Container);
		DSRContentItem &item = made->tree.getCurrentContentItem();
		OFCondition done = item.setConceptName(coded(root));
		if (done.good())
			done = item.setTemplateIdentification(template_id, "DCMR");
		if (done.bad())
			return status_fail(st, STATUS_BUG, "report: no root: %s", done.text());
		made->below = true;
		*tree = made.release();
		return STATUS_OK;
	});
}

extern "C" void sr_tree_free(struct sr_tree *tree) noexcept
{
	delete tree;
}

extern "C" void sr_tree_enter(struct sr_tree *tree) noexcept
{
	tree->below = true;
}

extern "C" void sr_tree_leave(struct sr_tree *tree) noexcept
{
	if (tree->fault.code != STATUS_OK)
		return;
	/* Left without a child: the current item is the parent already. */
	if (!tree->below && tree->tree.goUp() == 0)
		status_fail(&tree->fault, STATUS_BUG, "report: left more items than were entered");
	tree->below = false;
}

extern "C" void sr_tree_container(struct sr_tree *tree, enum sr_relation relation,
				  const struct code *name, const char *template_id) noexcept
{
	add(tree, relation, DSRTypes::VT_Container, name, [&](DSRContentItem &item) {
		return template_id ? item.setTemplateIdentification(template_id, "DCMR")
				   : EC_Normal;
	});
	tree->below = true;
}

extern "C" void sr_tree_text(struct sr_tree *tree, enum sr_relation relation,
			     const struct code *name, const char *utf8) noexcept
{
	add(tree, relation, DSRTypes::VT_Text, name,
	    [&](DSRContentItem &item) { return item.setStringValue(utf8, OFFalse); });
}

extern "C" void sr_tree_code(struct sr_tree *tree, enum sr_relation relation,
			     const struct code *name, const struct code *value) noexcept
{
	add(tree, relation, DSRTypes::VT_Code, name,
	    [&](DSRContentItem &item) { return item.setCodeValue(coded(value)); });
}

extern "C" void sr_tree_uid(struct sr_tree *tree, enum sr_relation relation,
			    const struct code *name, const char *uid) noexcept
{
	add(tree, relation, DSRTypes::VT_UIDRef, name,
	    [&](DSRContentItem &item) { return item.setStringValue(uid); });
}

extern "C" void sr_tree_datetime(struct sr_tree *tree, enum sr_relation relation,
				 const struct code *name, const char *datetime) noexcept
{
	add(tree, relation, DSRTypes::VT_DateTime, name,
	    [&](DSRContentItem &item) { return item.setStringValue(datetime); });
}

extern "C" void sr_tree_number(struct sr_tree *tree, enum sr_relation relation,
			       const struct code *name, double value,
			       const struct code *unit) noexcept
{
	add(tree, relation, DSRTypes::VT_Num, name, [&](DSRContentItem &item) {
		if (!std::isfinite(value))
			return item.setNumericValue(
			    DSRNumericMeasurementValue(coded(code_get(CODE_MEASUREMENT_FAILURE))));
		char text[32];
		snprintf(text, sizeof(text), "%.7g", value == 0 ? 0.0 : value); /* no "-0" */
		return item.setNumericValue(DSRNumericMeasurementValue(text, coded(unit)));
	});
}

extern "C" void sr_tree_polyline(struct sr_tree *tree, enum sr_relation relation,
				 const struct code *name, const float *column_row,
				 int points) noexcept
{
	add(tree, relation, DSRTypes::VT_SCoord, name, [&](DSRContentItem &item) {
		DSRSpatialCoordinatesValue value(DSRTypes::GT_Polyline);
		for (int i = 0; i < points; i++)
			value.getGraphicDataList().addItem(column_row[2 * i],
							   column_row[2 * i + 1]);
		return item.setSpatialCoordinates(value);
	});
}

extern "C" void sr_tree_image(struct sr_tree *tree, enum sr_relation relation,
			      const struct code *name,
			      const struct evidence_instance *instance) noexcept
{
	add(tree, relation, DSRTypes::VT_Image, name, [&](DSRContentItem &item) {
		return item.setImageReference(
		    DSRImageReferenceValue(instance->sop_class_uid, instance->sop_instance_uid));
	});
}

extern "C" void sr_tree_composite(struct sr_tree *tree, enum sr_relation relation,
				  const struct code *name,
				  const struct evidence_instance *instance) noexcept
{
	add(tree, relation, DSRTypes::VT_Composite, name, [&](DSRContentItem &item) {
		return item.setCompositeReference(DSRCompositeReferenceValue(
		    instance->sop_class_uid, instance->sop_instance_uid));
	});
}

extern "C" enum status_code sr_tree_write(struct sr_tree *tree, struct dataset *ds,
					  struct status *st) noexcept
{
	if (tree->fault.code != STATUS_OK)
		return status_fail(st, tree->fault.code, "%s", tree->fault.text);
	return guard(st, [&] {
		OFCondition done = tree->tree.write(*dataset_edit(ds));
		if (done.bad())
			return status_fail(st, STATUS_BUG, "report: content cannot be written: %s",
					   done.text());
		return STATUS_OK;
	});
}
