// Package topology makes a map of what a router knows: its interfaces, its neighbours
// and the sessions with them, and the routers and networks of link-state protocols.
//
// [Input] is what the router says, [Input.Map] the map: nodes and links between them,
// each once, although several protocols may name it. [Places] gives the nodes places
// and remembers them, so that a node stays where it is as long as no other router
// comes. [Map.SVG] draws it. [Arrange] is the layout alone, for other drawings.
//
// What is left out of the map: loopback interfaces, stations that speak no protocol
// (they are counted), networks of a link-state protocol with fewer than three routers
// (they are links), nodes beyond [MaxNodes] and links beyond [MaxLinks] (they are
// counted).
//
// All is pure but for Places; nothing here asks a router.
package topology
