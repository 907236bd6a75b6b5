// What the page has from elsewhere: uPlot, which a script of its own brings.
declare const uPlot: any;
