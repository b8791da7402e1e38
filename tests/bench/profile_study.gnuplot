# The picture of the server study: bars of 100 % by activity, from study.dat in `folder`.
set terminal svg size 760,420 font 'sans-serif,13' background '#ffffff'
set output folder.'/study.svg'
data = folder.'/study.dat'
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 border rgb '#ffffff'
set boxwidth 0.65
set key outside right center reverse Left invert
set ylabel "percent of Daytona's cycles"
set yrange [0:100]
set xlabel 'file'
set tics nomirror
set border 3
array colors[14] = ['#3b6fb6', '#e08a2c', '#4f9d57', '#c0504d', '#8064a2', '#46a6b8', '#b5a642', '#d98cb3', \
                    '#7f7f7f', '#94c47d', '#a05a2c', '#5d5da6', '#c9b18c', '#222222']
columns = system("head -n 1 ".data." | tr -cd '\"' | wc -c") / 2
plot for [i = 2 : columns + 1] data using i:xtic(1) title columnheader(i) linecolor rgb colors[i - 1]
