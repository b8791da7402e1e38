/*
 * list.h - doubly linked lists whose nodes are embedded in what they list.
 */
#ifndef STACK_TCP_LIST_H
#define STACK_TCP_LIST_H

#include <stdbool.h>
#include <stddef.h>

/** Zeroed at first: in no list. */
struct list_node {
    struct list_node *next, *previous;
};

/** A ring through `ends`; needs list_init(). */
struct list {
    struct list_node ends;
};

static inline void list_init(struct list *list)
{
    list->ends.next = list->ends.previous = &list->ends;
}

static inline bool list_holds(const struct list_node *node)
{
    return node->next != NULL;
}

static inline void list_append(struct list *list, struct list_node *node)
{
    node->previous = list->ends.previous;
    node->next = &list->ends;
    node->previous->next = node;
    list->ends.previous = node;
}

/** Allowed when the node is in no list. */
static inline void list_remove(struct list_node *node)
{
    if (!list_holds(node))
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = NULL;
}

/** The first node, NULL when the list is empty. */
static inline struct list_node *list_first(const struct list *list)
{
    return list->ends.next == &list->ends ? NULL : list->ends.next;
}

#endif
