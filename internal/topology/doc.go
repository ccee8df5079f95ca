// Package topology places the nodes of a graph where people would draw them
// ([Arrange]).
package topology
